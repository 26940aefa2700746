import Cluster
import Glibc
import Sandbox

/// Finds out what this machine or pod allows the agent to do.
package struct Doctor: Sendable {
    private let stateDirectory: String
    /// `nil`: nothing is known of repositories and registries, and none is asked.
    private let configuration: AgentConfiguration?
    private let isInPod: Bool

    package init(stateDirectory: String, configuration: AgentConfiguration? = nil) {
        self.stateDirectory = stateDirectory
        self.configuration = configuration
        isInPod = getenv("KUBERNETES_SERVICE_HOST") != nil
    }

    package func examine() async -> DoctorReport {
        var findings = StateDirectoryExamination.findings(stateDirectory)
        let isUsable = findings.first?.status == .ok
        let confinement = ProcessConfinement.current
        if isUsable {
            // Where no directory can be made, nothing can be tried.
            findings +=
                IsolationAdvice(
                    confinement: confinement, report: await SandboxProbe.probe(stateDirectory: stateDirectory),
                    identities: SubordinateIDs.outcome, stateDirectory: stateDirectory, isInPod: isInPod
                ).findings
        }
        findings += MachineExamination(confinement: confinement, controlGroups: .current).findings
        if let configuration {
            let scratch = (isUsable ? stateDirectory : temporary) + "/probe-git-\(getpid())"
            defer { rmdir(scratch) }
            findings += await ReachExamination(configuration: configuration, scratch: scratch).findings()
        }
        findings += await cluster()
        return DoctorReport(findings: findings)
    }

    private var temporary: String { getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp" }

    private func cluster() async -> [DoctorFinding] {
        do throws(ClusterError) {
            let settings = configuration?.cluster ?? AgentConfiguration.ClusterSettings()
            guard let endpoint = try settings.endpoint() else {
                guard needsCluster else { return [] }
                return [
                    DoctorFinding(
                        .cluster, .error, "there is no cluster to work in", cause: "this is not a pod",
                        hint: "set 'cluster.kubeconfig' in the agent's configuration")
                ]
            }
            return await ClusterExamination(
                client: ClusterClient(endpoint, userAgent: Version.userAgent),
                needed: configuration?.clusterFeatures(in: endpoint.namespace) ?? [:],
                leaseName: configuration?.election?.name
            ).findings()
        } catch {
            // A pod without a token is as it should be where nothing asks the cluster.
            return [DoctorFinding(.cluster, status: needsCluster ? .error : .note, error)]
        }
    }

    private var needsCluster: Bool { configuration?.clusterFeatures(in: "").isEmpty == false }
}

extension AgentConfiguration {
    /// What the configuration needs a cluster for, and in which namespaces.
    ///
    /// - Parameter own: the namespace of the kubeconfig or of the pod.
    package func clusterFeatures(in own: String) -> [ClusterFeature: Set<String>] {
        var needed: [ClusterFeature: Set<String>] = [:]
        for apply in repositories.compactMap(\.apply) { needed[.apply, default: []].insert(apply.namespace ?? own) }
        if builder == .kubernetes { needed[.builds] = [cluster.builds?.namespace ?? own] }
        // Events go to the cluster of the pod, which a kubeconfig need not name.
        if cluster.events == true, cluster.kubeconfig == nil { needed[.events] = [own] }
        if let election { needed[.leaderElection] = [election.namespace ?? own] }
        return needed
    }
}
