import Synchronization

/// The time for which this process leads, from when it took the Lease until it lost it or gave it back.
///
/// All is counted from when a renewal that succeeded was *sent*. Others count from when they see it, which is later, so that their
/// turn comes after the end of this one however wrong the clocks of the machines are.
package final class LeadershipTerm: Sendable {
    private struct State {
        var renewedAt: Duration
        var hasEnded = false
    }

    private let timing: ElectionTiming
    private let clock: any ElectionClock
    private let state: Mutex<State>

    package init(_ timing: ElectionTiming, since renewedAt: Duration, clock: any ElectionClock) {
        self.timing = timing
        self.clock = clock
        state = Mutex(State(renewedAt: renewedAt))
    }

    /// Whether something may be written now.
    package var allowsWrites: Bool {
        let (renewedAt, hasEnded) = state.withLock { ($0.renewedAt, $0.hasEnded) }
        return !hasEnded && clock.uptime < renewedAt + timing.renewDeadline
    }

    /// How long something may still be written.
    var remaining: Duration { state.withLock(\.renewedAt) + timing.renewDeadline - clock.uptime }

    /// How long the process may still run if the Lease is not renewed.
    package var timeToEnd: Duration { state.withLock(\.renewedAt) + timing.end - clock.uptime }

    func renewed(at sent: Duration) {
        state.withLock { if !$0.hasEnded { $0.renewedAt = max($0.renewedAt, sent) } }
    }

    /// Nothing is written any more.
    package func end() { state.withLock { $0.hasEnded = true } }
}
