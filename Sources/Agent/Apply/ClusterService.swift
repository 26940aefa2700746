import Blocking
package import Cluster
import Glibc

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
        _ settings: AgentConfiguration.ClusterSettings, scratch: String
    ) throws(AgentError) -> ApplyServices {
        let endpoint = try endpoint(of: settings)
        return ApplyServices(
            objects: Applier(ClusterClient(endpoint, userAgent: Version.userAgent)),
            namespace: endpoint.namespace, scratch: scratch)
    }

    /// The cluster that a configuration means.
    ///
    /// - Throws: where it names none that can be used.
    static func endpoint(
        of settings: AgentConfiguration.ClusterSettings
    ) throws(AgentError) -> ClusterEndpoint {
        do throws(ClusterError) {
            if let file = settings.kubeconfig { return try Kubeconfig(file: file).endpoint(context: settings.context) }
            var environment: [String: String] = [:]
            for name in ["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "KUBERNETES_SERVICE_PORT_HTTPS"] {
                environment[name] = getenv(name).map { String(cString: $0) }
            }
            if let found = try ServiceAccount.endpoint(environment) { return found }
            throw ClusterError(
                .configuration, "there is no cluster to use", cause: "the agent does not run in a pod",
                hint: "set 'cluster.kubeconfig' in the agent's configuration")
        } catch {
            throw AgentError(error.summary, place: error.place, cause: error.cause, hint: error.hint)
        }
    }
}
