import HTTP
import Synchronization

/// How fast one host may be asked: what the configuration allows, what its answers ask for.
///
/// - `Retry-After` (also with an answer of success): nobody asks before that time.
/// - `429` without it: the pause between two requests doubles, and shrinks again with each success.
/// - `RateLimit-*` (https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/, and the `X-` names of old): when
///   little of a quota is left, the rest is spread over the time until it is renewed.
final class HostPace: Sendable {
    private struct State {
        var notBefore: ContinuousClock.Instant
        var next: ContinuousClock.Instant
        /// Learned from refusals.
        var penalty = Duration.zero
        /// Learned from quotas.
        var spread = Duration.zero
    }

    private static let firstPenalty = Duration.milliseconds(100)
    private static let longestPause = Duration.seconds(10)

    private let minimum: Duration
    private let state: Mutex<State>

    init(requestsPerSecond: Double?, now: ContinuousClock.Instant = .now) {
        let rate = requestsPerSecond.flatMap { $0 > 0 ? $0 : nil }
        minimum = rate.map { .seconds(1) / max($0, 0.001) } ?? .zero
        state = Mutex(State(notBefore: now, next: now))
    }

    /// Takes the next turn.
    ///
    /// - Returns: how long to wait for it.
    func turn(now: ContinuousClock.Instant = .now) -> Duration {
        state.withLock { state in
            let start = max(now, state.notBefore, state.next)
            state.next = start + max(minimum, state.penalty, state.spread)
            return start - now
        }
    }

    /// How long the host wants to be left alone.
    func quarantine(now: ContinuousClock.Instant = .now) -> Duration {
        state.withLock { max(.zero, $0.notBefore - now) }
    }

    /// Takes note of an answer.
    func learn(_ head: HTTPHead, now: ContinuousClock.Instant = .now) {
        let retryAfter = RetryAfter.seconds(head.headers)
        let quota = RateLimit(head.headers)
        state.withLock { state in
            if let retryAfter { state.notBefore = max(state.notBefore, now + .seconds(retryAfter)) }
            if head.status == 429 {
                if retryAfter == nil {
                    state.penalty = min(max(state.penalty * 2, Self.firstPenalty), Self.longestPause)
                    // Turns that were given out before the refusal stay; new ones begin after a pause.
                    state.next = max(state.next, now + state.penalty)
                }
            } else if head.isSuccess {
                state.penalty = state.penalty < .milliseconds(5) ? .zero : state.penalty * 4 / 5
            }
            state.spread = .zero
            guard let quota, let reset = quota.reset else { return }
            if quota.remaining == 0 {
                state.notBefore = max(state.notBefore, now + .seconds(reset))
            } else if quota.isLow {
                state.spread = min(.seconds(reset) / quota.remaining, Self.longestPause)
            }
        }
    }
}
