import Cluster
import Git
import OCI

/// Applies a revision's manifests, as `apply:` of a repository says.
struct ManifestApplication: Sendable {
    let repository: AgentConfiguration.RepositoryConfiguration
    let settings: AgentConfiguration.ApplySettings
    let services: ApplyServices
    let git: GitServices

    private var target: ApplyTarget {
        let namespace = settings.namespace ?? services.namespace
        var target = ApplyTarget(
            repository: repository.name, namespace: namespace,
            inventory: ResourcePath(.configMap, namespace: namespace, name: Self.inventoryName(of: repository.name)))
        target.prunes = settings.prunes
        if let account = settings.serviceAccount {
            let parts = account.split(separator: "/")
            let (place, name) = parts.count == 2 ? (String(parts[0]), parts[1]) : (namespace, parts[0])
            target.impersonated = "system:serviceaccount:\(place):\(name)"
        }
        return target
    }

    /// A name that Kubernetes takes (RFC 1123), and that no other entry's name makes.
    static func inventoryName(of repository: String) -> String {
        let kept = repository.lowercased().unicodeScalars.map { scalar -> Character in
            ("a"..."z").contains(scalar) || ("0"..."9").contains(scalar) ? Character(scalar) : "-"
        }
        let isSame = String(kept) == repository && repository.utf8.count <= 200
        let mark = isSame ? "" : "-" + Digest.sha256(of: Array(repository.utf8)).short
        return "slipway-inventory-\(String(kept.prefix(200)))\(mark)"
    }

    /// - Parameter isWaiting: whether it is waited until all is ready.
    func run(at revision: Commit, isWaiting: Bool, in cycle: CycleRecorder) async throws(ReconcileError) {
        let tree = try await cycle.phase(.apply) { try await git.revisions.tree(of: revision) }
        let found = await services.manifests.objects(
            below: settings.paths,
            by: ManifestReader(remote: git.remote, tree: tree, kustomize: services.kustomize))
        for failure in found.failures { cycle.fail(ReconcileError(failure, in: .apply)) }
        let target = target
        let report = try await cycle.phase(.apply) { () throws(ClusterError) in
            var report = try await services.objects.apply(
                found.objects, for: target, isComplete: found.failures.isEmpty)
            if isWaiting, settings.waits {
                cycle.say("Waiting for \(revision.id.short) to be applied ...")
                await services.objects.wait(
                    for: found.objects, of: target, seconds: Int(settings.timeout.components.seconds), into: &report)
            }
            return report
        }
        tell(report, isWaiting: isWaiting, in: cycle)
    }

    private func tell(_ report: ApplyReport, isWaiting: Bool, in cycle: CycleRecorder) {
        for entry in report.entries {
            let shown = entry.identity.shown
            switch entry.outcome {
            case .unchanged: break
            case .created: cycle.applied(shown, "created")
            case .changed: cycle.applied(shown, "changed")
            case .corrected: cycle.applied(shown, "corrected", why: "somebody had changed it")
            case .pruned: cycle.applied(shown, "deleted", why: "it left the repository")
            case .kept(let reason): cycle.decide(shown, "not deleted: \(reason)")
            case .failed(let error):
                cycle.fail(
                    ReconcileError(
                        phase: .apply, subject: shown,
                        disposition: error.code == .invalid ? .stalled : .retry, underlying: error))
            }
            if let owners = report.takenOver[entry.identity] {
                cycle.decide(shown, "fields of others are the repository's now: \(owners.joined(separator: ", "))")
            }
        }
        guard isWaiting, settings.waits else { return }
        for (identity, reason) in report.waiting.sorted(by: { $0.key < $1.key }) {
            cycle.fail(
                ReconcileError(
                    phase: .apply, subject: identity.shown, disposition: .retry,
                    underlying: AgentError(
                        "not ready after \(settings.timeout.components.seconds) seconds",
                        cause: reason)))
        }
    }
}
