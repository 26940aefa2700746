import Synchronization

/// A number that closures write: the last progress that they were given, how many of them run.
final class Counter: Sendable {
    private let state = Mutex<Int64>(0)

    var value: Int64 { state.withLock { $0 } }

    /// Returns the new value.
    func add(_ difference: Int64) -> Int64 {
        state.withLock { value in
            value += difference
            return value
        }
    }

    func set(_ value: Int64) { state.withLock { $0 = value } }
}
