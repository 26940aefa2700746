import Builder
import Cluster
import Diagnostics
import Git
import Registry
import RegistryPoller

/// The steps of a cycle, in their order.
package enum Phase: String, Sendable, CaseIterable, Codable {
    case sync, discover, changed, plan, execute, push, scan, select, rewrite, commit, publish, apply, record

    /// As traces call it.
    var spanName: String {
        switch self {
        case .sync: "fetch"
        case .changed: "check"
        case .execute: "build"
        case .rewrite: "edit"
        case .publish: "git push"
        case .discover, .plan, .push, .scan, .select, .commit, .apply, .record: rawValue
        }
    }
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
        if let error = error as? any Diagnostic, let kind = Self.kind(of: error) {
            self = kind == .input ? .stalled : .retry
            return
        }
        // What the agent itself refuses when it decides on a build is what the repository says: a path that is not there, a tag that
        // belongs to another image.
        if error is AgentError, phase == .changed {
            self = .stalled
            return
        }
        switch phase {
        case .discover, .plan, .select, .rewrite: self = .stalled
        case .sync, .changed, .execute, .push, .scan, .commit, .publish, .apply, .record: self = .retry
        }
    }

    /// Whose a failure of a module below is; `nil` for the agent's own words, which their phase tells about.
    static func kind(of error: any Diagnostic) -> FailureKind? {
        switch error {
        case let error as AgentError: error.kind
        case let error as GitError:
            [.unverified, .signing, .hostKeyMismatch, .tooLarge].contains(error.code) ? .input : .world
        case let error as BuildError: FailureKind(error) ?? .world
        case is PollError, is RegistryError: .world
        case let error as ClusterError: error.code == .invalid ? .input : .world
        default: nil
        }
    }
}
