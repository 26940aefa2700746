import Agent
import Synchronization

/// A clock that stands still until it is set. Whoever waits goes on when the time has come.
package final class FakeClock: AgentClock {
    private struct Sleeper {
        let until: Int64
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var now: Int64
        var count = 0
        var sleepers: [Int: Sleeper] = [:]
        var cancelled: Set<Int> = []
        /// Continues when somebody sleeps.
        var watchers: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state: Mutex<State>
    /// Whether waiting ends at once, and the time goes on by it.
    private let isEager: Bool

    /// - Parameter isEager: nobody waits: the clock jumps to the end of each sleep.
    package init(_ now: Int64 = 1_700_000_000, isEager: Bool = false) {
        state = Mutex(State(now: now))
        self.isEager = isEager
    }

    package var now: Int64 { state.withLock { $0.now } }

    package func sleep(for duration: Duration) async throws {
        let (seconds, attoseconds) = duration.components
        let whole = seconds + (attoseconds > 0 ? 1 : 0)
        if isEager {
            try Task.checkCancellation()
            state.withLock { $0.now += seconds }
            return
        }
        let id = state.withLock { state in
            state.count += 1
            return state.count
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let (isCancelled, watchers) = state.withLock { state -> (Bool, [CheckedContinuation<Void, Never>]) in
                    if state.cancelled.remove(id) != nil { return (true, []) }
                    state.sleepers[id] = Sleeper(until: state.now + whole, continuation: continuation)
                    let ready = state.watchers.filter { $0.count <= state.sleepers.count }.map(\.continuation)
                    state.watchers.removeAll { $0.count <= state.sleepers.count }
                    return (false, ready)
                }
                if isCancelled { continuation.resume(throwing: CancellationError()) }
                for watcher in watchers { watcher.resume() }
            }
        } onCancel: {
            let sleeper = state.withLock { state -> Sleeper? in
                guard let sleeper = state.sleepers.removeValue(forKey: id) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return sleeper
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }

    /// Lets time pass, and wakes who waited for it.
    package func advance(by seconds: Int64) {
        let ready = state.withLock { state in
            state.now += seconds
            let due = state.sleepers.filter { $0.value.until <= state.now }
            for id in due.keys { state.sleepers[id] = nil }
            return due.sorted { $0.key < $1.key }.map(\.value.continuation)
        }
        for continuation in ready { continuation.resume() }
    }

    /// When those who sleep wake up, the earliest first.
    package var wakeTimes: [Int64] { state.withLock { $0.sleepers.values.map(\.until).sorted() } }

    /// Returns when as many are asleep.
    package func untilAsleep(_ count: Int = 1) async {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if state.sleepers.count >= count { return true }
                state.watchers.append((count, continuation))
                return false
            }
            if isReady { continuation.resume() }
        }
    }
}
