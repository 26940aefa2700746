import Synchronization

/// The last number that a progress closure was given.
final class Counter: Sendable {
    private let state = Mutex<Int64>(0)

    var value: Int64 { state.withLock { $0 } }

    func set(_ value: Int64) { state.withLock { $0 = value } }
}
