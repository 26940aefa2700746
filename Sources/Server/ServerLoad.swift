import Synchronization

/// How many clients there are, and how many of them wait for their answer.
final class ServerLoad: Sendable {
    private struct State {
        var connections = 0
        var answers = 0
        var idle: [Int: CheckedContinuation<Void, Never>] = [:]
        var count = 0
    }

    private let state = Mutex(State())

    /// Takes a connection in, unless there are too many.
    func admits(below limit: Int) -> Bool {
        state.withLock { state in
            guard state.connections < limit else { return false }
            state.connections += 1
            return true
        }
    }

    func leave() { state.withLock { $0.connections -= 1 } }

    func begin() { state.withLock { $0.answers += 1 } }

    func end() {
        let waiting = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.answers -= 1
            guard state.answers == 0 else { return [] }
            defer { state.idle = [:] }
            return Array(state.idle.values)
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Returns when all answers are given, or after so long.
    func drained(within patience: Duration) async {
        await withCheckedContinuation { continuation in
            let id = state.withLock { state -> Int? in
                guard state.answers > 0 else { return nil }
                state.count += 1
                state.idle[state.count] = continuation
                return state.count
            }
            guard let id else { return continuation.resume() }
            Task {
                try? await Task.sleep(for: patience)
                state.withLock { $0.idle.removeValue(forKey: id) }?.resume()
            }
        }
    }
}
