import Blocking
package import Cluster

/// A repository's objects in the cluster. `Applier` is the real one; tests have one in memory.
package protocol ObjectApplying: Sendable {
    func apply(
        _ objects: [ManifestObject], for target: ApplyTarget, isComplete: Bool
    ) async throws(ClusterError) -> ApplyReport
    func wait(
        for objects: [ManifestObject], of target: ApplyTarget, seconds: Int, into report: inout ApplyReport) async
}

extension Applier: ObjectApplying {}

/// What a repository's cycles apply with.
package struct ApplyServices: Sendable {
    package let objects: any ObjectApplying
    /// Of objects that name none, where the repository says nothing.
    package let namespace: String
    let kustomize: KustomizeProgram
    let manifests = ReadManifests()

    /// - Parameter scratch: a directory for a moment's files.
    package init(objects: any ObjectApplying, namespace: String, scratch: String) {
        self.objects = objects
        self.namespace = namespace
        kustomize = KustomizeProgram(
            searchPath: ChildProcess.searchPath, scratch: scratch)
    }

    /// Looks for the cluster.
    ///
    /// - Throws: where the configuration names none that can be used.
    static func open(
        _ settings: AgentConfiguration.ClusterSettings, scratch: String, permit: WritePermit = .always
    ) throws(AgentError) -> ApplyServices {
        let endpoint = try settings.endpoint(for: "to apply to")
        let client = ClusterClient(endpoint, userAgent: Version.userAgent) { () throws(ClusterError) in
            try permit.checkCluster()
        }
        return ApplyServices(objects: Applier(client), namespace: endpoint.namespace, scratch: scratch)
    }
}
