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
        var needed: [ClusterFeature: Set<String>] = [:]
        do throws(ClusterError) {
            let settings = configuration?.cluster ?? AgentConfiguration.ClusterSettings()
            guard let endpoint = try settings.endpoint() else {
                guard appliesManifests else { return [] }
                return [
                    DoctorFinding(
                        .cluster, .error, "there is no cluster to apply to", cause: "this is not a pod",
                        hint: "set 'cluster.kubeconfig' in the agent's configuration")
                ]
            }
            for apply in configuration?.repositories.compactMap(\.apply) ?? [] {
                needed[.apply, default: []].insert(apply.namespace ?? endpoint.namespace)
            }
            return await ClusterExamination(
                client: ClusterClient(endpoint, userAgent: Version.userAgent), needed: needed
            ).findings()
        } catch {
            // A pod without a token is as it should be where nothing asks the cluster.
            return [DoctorFinding(.cluster, status: appliesManifests ? .error : .note, error)]
        }
    }

    private var appliesManifests: Bool { configuration?.repositories.contains { $0.apply != nil } ?? false }
}
