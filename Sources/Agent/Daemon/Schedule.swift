/// When a repository is looked at next. A machine of states without a clock: it is told what happens, and says what to do.
///
/// - Between cycles it waits for its interval, a tenth more or less by chance, so that many repositories do not ask at one moment.
/// - A trigger begins a cycle at once. During a cycle it means one more, right after; many are one.
/// - After cycles that failed by the world's fault it waits ever longer, ten minutes at most. A trigger still counts.
/// - While it is paused no cycle begins, whatever happens; one that runs ends. What happened meanwhile is one cycle when it resumes.
/// - A cycle that is stalled fails by its input: nothing but a new commit or a person helps, and it looks for these at its interval.
package struct Schedule: Sendable, Equatable {
    package enum Outcome: Sendable, Equatable, CaseIterable {
        case succeeded
        /// It will fail again until somebody changes something.
        case stalled
        /// The world's fault: it may succeed without anybody's doing.
        case failed
    }

    package enum Action: Sendable, Equatable {
        case nothing
        case cycle
        /// To call ``due(_:)`` with the timer after so many seconds. A timer before it counts no more.
        case wait(seconds: Double, timer: Int)
    }

    private enum State: Equatable {
        case new
        case waiting(timer: Int)
        case running(again: Bool)
        case ended
    }

    /// In seconds.
    private static let longest = 600.0
    private static let shortest = 10.0

    private(set) var interval: Double
    private var state = State.new
    private var isPaused = false
    private var lastTimer = 0
    /// Cycles in a row that failed by the world's fault.
    package private(set) var failures = 0

    /// - Parameter interval: between cycles, in seconds.
    package init(interval: Double) { self.interval = max(0, interval) }

    package var isRunning: Bool { if case .running = state { true } else { false } }

    /// The first look: at once, so that the agent is soon ready.
    package mutating func begin() -> Action { state == .new && !isPaused ? cycle() : .nothing }

    /// Something may have changed: a webhook, a person, an image that was built.
    package mutating func trigger() -> Action {
        guard !isPaused else { return .nothing }
        switch state {
        case .new, .waiting: return cycle()
        case .running:
            state = .running(again: true)
            return .nothing
        case .ended: return .nothing
        }
    }

    /// A timer is due.
    package mutating func due(_ timer: Int) -> Action { state == .waiting(timer: timer) ? cycle() : .nothing }

    /// The cycle is over.
    ///
    /// - Parameter random: from 0 up to 1.
    package mutating func ended(_ outcome: Outcome, random: Double) -> Action {
        guard case .running(let again) = state else { return .nothing }
        failures = outcome == .failed ? min(failures + 1, 1_000) : 0
        if isPaused {
            state = .new
            return .nothing
        }
        return again ? cycle() : wait(random)
    }

    /// Takes another interval, from a new configuration.
    package mutating func setInterval(_ seconds: Double, random: Double) -> Action {
        guard seconds != interval else { return .nothing }
        interval = max(0, seconds)
        if case .waiting = state { return wait(random) }
        return .nothing
    }

    /// No cycle begins until it resumes.
    package mutating func pause() {
        isPaused = true
        switch state {
        case .waiting: state = .new
        // What asked for one more cycle is looked at when it resumes.
        case .running: state = .running(again: false)
        case .new, .ended: break
        }
    }

    /// Goes on, with a cycle at once or right after the one that is under way.
    package mutating func resume() -> Action {
        guard isPaused else { return .nothing }
        isPaused = false
        return trigger()
    }

    /// No cycle begins any more. One that runs is its own to end.
    package mutating func stop() { state = .ended }

    private mutating func cycle() -> Action {
        state = .running(again: false)
        return .cycle
    }

    private mutating func wait(_ random: Double) -> Action {
        lastTimer += 1
        state = .waiting(timer: lastTimer)
        return .wait(seconds: delay(random), timer: lastTimer)
    }

    private func delay(_ random: Double) -> Double {
        guard failures > 0 else { return interval * (0.9 + 0.2 * min(max(random, 0), 1)) }
        // Not more often than without failures, unless its interval is longer than a repair should go unseen.
        return Backoff(base: max(Self.shortest, interval), limit: Self.longest)
            .delay(afterAttempts: failures, random: random)
    }
}
