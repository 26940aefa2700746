package import JSON

extension AgentConfiguration {
    /// Who builds.
    package enum BuilderChoice: String, Sendable, CaseIterable {
        /// This process.
        case embedded
        /// Jobs in the cluster.
        case kubernetes
    }
}

/// What the Jobs of builds look like: `cluster.builds`.
package struct JobTemplate: Sendable, Equatable {
    /// Slipway's own.
    package var image: String
    /// `nil`: that of the access to the cluster.
    package var namespace: String?
    package var limits = JobLimits()
    /// Of Job and pod, besides the agent's own.
    package var labels: [String: String] = [:]
    package var annotations: [String: String] = [:]
    /// Fields of the pod's specification, and of its container's, as Kubernetes calls them.
    package var pod: JSONValue = [:]
    package var container: JSONValue = [:]

    package init(image: String) { self.image = image }
}

/// How long a Job may take.
package struct JobLimits: Sendable, Equatable {
    /// From its start to its end.
    package var deadline: Duration = .seconds(3_600)
    /// Until its container runs: a node has to be found, and the image to be pulled.
    package var startDeadline: Duration = .seconds(600)
    /// How long it stays when it has ended.
    package var lifetime: Duration = .seconds(3_600)

    package init() {}
}
