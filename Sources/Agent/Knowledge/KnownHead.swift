import Synchronization

/// The head that the last cycle of a repository accepted: what pages and the API tell of its files without asking git.
final class KnownHead: Sendable {
    private let state = Mutex<TrustedHead?>(nil)

    /// `nil` before the first cycle has one.
    var head: TrustedHead? { state.withLock { $0 } }

    func set(_ head: TrustedHead) { state.withLock { $0 = head } }
}
