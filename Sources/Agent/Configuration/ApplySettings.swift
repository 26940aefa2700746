extension AgentConfiguration {
    /// Which cluster objects are applied to, and builds run in as Jobs.
    package struct ClusterSettings: Sendable, Equatable {
        /// `nil`: the cluster in which the agent runs, by its pod's service account.
        package var kubeconfig: String?
        /// `nil`: the kubeconfig's current one.
        package var context: String?
        /// Whether Events are written on the agent's Deployment; `nil`: where it runs in a pod that knows its name.
        package var events: Bool?
        /// Whether the configuration says something of the cluster other than that no Events are written.
        package var isGiven = false
        /// What the Jobs of builds look like.
        package var builds: JobTemplate?

        package init() {}
    }

    /// What of a repository is applied to the cluster.
    package struct ApplySettings: Sendable, Equatable {
        /// Directories and files of the repository.
        package var paths: [String]
        /// Of objects that name none, and of the inventory; `nil`: the cluster's default.
        package var namespace: String?
        /// Whether objects that left the files are deleted.
        package var prunes = true
        /// Whether it is waited until objects are ready.
        package var waits = true
        /// How long.
        package var timeout: Duration = .seconds(300)
        /// As whom objects are applied: a service account of `namespace`, `NAME` or `NAMESPACE/NAME`; `nil`: as the agent.
        package var serviceAccount: String?

        package init(paths: [String]) { self.paths = paths }
    }
}

extension AgentConfiguration {
    /// The cluster whose workloads pages show beside git's; `nil` where the configuration has nothing to do with one.
    var observedCluster: ClusterSettings? {
        cluster.isGiven || repositories.contains { $0.apply != nil } ? cluster : nil
    }
}
