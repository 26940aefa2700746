package import Cluster
import Glibc

extension AgentConfiguration.ClusterSettings {
    /// Where the API server is: by the kubeconfig, else by the pod's service account.
    ///
    /// - Returns: `nil` outside of a pod, where no kubeconfig is configured.
    package func endpoint() throws(ClusterError) -> ClusterEndpoint? {
        if let kubeconfig { return try Kubeconfig(file: kubeconfig).endpoint(context: context) }
        var environment: [String: String] = [:]
        for name in ["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "KUBERNETES_SERVICE_PORT_HTTPS"] {
            environment[name] = getenv(name).map { String(cString: $0) }
        }
        return try ServiceAccount.endpoint(environment)
    }

    /// The cluster that is needed.
    ///
    /// - Parameter purpose: what there is no cluster for, as "to apply to".
    /// - Throws: also where there is none.
    package func endpoint(for purpose: String) throws(AgentError) -> ClusterEndpoint {
        do throws(ClusterError) {
            if let found = try endpoint() { return found }
            throw ClusterError(
                .configuration, "there is no cluster \(purpose)", cause: "the agent does not run in a pod",
                hint: "set 'cluster.kubeconfig' in the agent's configuration")
        } catch {
            throw AgentError(error.summary, place: error.place, cause: error.cause, hint: error.hint)
        }
    }
}
