import Builder
import Git

/// The steps of a cycle, in their order.
package enum Phase: String, Sendable, CaseIterable, Codable {
    case sync, discover, changed, plan, execute, push, scan, select, rewrite, commit, publish, record
}

/// What is to happen after a failure.
package enum Disposition: String, Sendable, Codable {
    /// The next cycle tries again.
    case retry
    /// Only a new commit or another configuration can help; the next cycle still looks, and stops at the same place.
    case stalled
}

extension Disposition {
    /// Trouble with the network is tried again; what is wrong in the repository waits for another commit.
    init(of error: any Error, in phase: Phase) {
        if let error = error as? GitError, [.unverified, .signing, .hostKeyMismatch].contains(error.code) {
            self = .stalled
            return
        }
        if let error = error as? BuildError {
            self = FailureKind(error) == .input ? .stalled : .retry
            return
        }
        switch phase {
        case .discover, .plan, .select, .rewrite: self = .stalled
        case .sync, .changed, .execute, .push, .scan, .commit, .publish, .record: self = .retry
        }
    }
}
