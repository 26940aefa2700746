package import Cluster

/// Whether this process may write now: to git, to registries, to the cluster. Asked right before each write.
///
/// A process that leads for a term may as long as the term allows it; what it has under way then is cut off by cancelling it, and by
/// ending the process before another one may lead.
package struct WritePermit: Sendable {
    private let term: LeadershipTerm?

    /// An agent without replicas.
    package static let always = WritePermit(term: nil)

    package init(_ term: LeadershipTerm) { self.init(term: term) }

    private init(term: LeadershipTerm?) { self.term = term }

    package var isGiven: Bool { term?.allowsWrites ?? true }

    /// - Throws: where another replica may lead by now.
    func check() throws(AgentError) {
        guard !isGiven else { return }
        throw AgentError(
            Self.refusal.summary, cause: Self.refusal.cause,
            hint: "the replica that leads now does it in its next cycle")
    }

    /// The same in the words of the cluster's client.
    func checkCluster() throws(ClusterError) {
        guard !isGiven else { return }
        throw ClusterError(.cancelled, Self.refusal.summary, cause: Self.refusal.cause)
    }

    private static let refusal = (
        summary: "nothing was written: this replica may not lead any more",
        cause: "its Lease was not renewed in time"
    )
}
