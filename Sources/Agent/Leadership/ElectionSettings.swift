package import Cluster

extension AgentConfiguration {
    /// Several replicas of the agent, of which one works at a time: `leaderElection:`.
    package struct ElectionSettings: Sendable, Equatable {
        /// Of the Lease; `nil`: that of the pod.
        package var namespace: String?
        /// The Lease's. Agents with the same one are replicas of each other.
        package var name = "slipway"
        package var timing = ElectionTiming()

        package init() {}
    }
}
