import Builder
import Diagnostics
import Git
import ManifestUpdater
import OCI
import YAML

extension Reconciler {
    /// What the repository asks for at a revision.
    struct Discovered: Sendable {
        var pipelines: [Pipeline] = []
        var targets: [ImageTarget] = []
        var imagePolicies: [FluxImagePolicy] = []
        var imageRepositories: [FluxImageRepository] = []
        var applications: [ArgoApplication] = []
        var decisions: [CycleReport.Decision] = []
    }

    /// Fetches the branch: one reference advertisement when there is nothing new. Commits that must be signed and are not
    /// are nothing to work with.
    func sync() async throws(GitError) -> Commit {
        let head = try await tools.mirror.git.fetch(branch: repository.branch)
        if await tools.mirror.git.lastFetch?.isRewritten == true {
            say("The branch \(repository.branch) was rewritten: the old head is not in its history any more")
        }
        let verification = tools.git.verification
        try await tools.mirror.git.verify(
            head.id, branch: repository.branch, mode: verification.mode, trust: verification.trust)
        return head
    }

    /// Reads the build declarations and the annotated workloads of the revision. Files that did not change since they
    /// were last read are not read again.
    func discover(at revision: Commit) async throws(AgentError) -> Discovered {
        let tree = try await tools.index.tree(of: revision, in: tools.mirror)
        var found = Discovered()
        var builds = try await pipelines(in: tree)
        builds.keep(allowedBy: repository.allowed, of: repository.name)
        found.pipelines = builds.pipelines.map { pipeline in
            var pipeline = pipeline
            pipeline.contexts.merge(repository.contexts.mapValues { .configured($0) }) { own, _ in own }
            return pipeline
        }
        for skipped in builds.skipped {
            found.decisions.append(
                CycleReport.Decision(subject: skipped.origin, reason: skipped.reason, remedy: skipped.remedy))
        }
        if found.pipelines.isEmpty && builds.skipped.isEmpty {
            found.decisions.append(
                CycleReport.Decision(
                    subject: "builds", reason: "the repository describes none",
                    remedy:
                        "declare one under 'builds:' in .slipway.yaml, or keep a kaniko Job or Pod in the repository"))
        }
        if repository.updatesManifests {
            let scan = try await tools.index.targets(in: tree, of: tools.mirror, matching: repository.updatePaths)
            found.targets = scan.targets
            found.imagePolicies = scan.imagePolicies
            found.imageRepositories = scan.imageRepositories
            found.applications = scan.applications
            found.decisions += scan.skipped.map { CycleReport.Decision(subject: $0.place, reason: $0.reason) }
        }
        return found
    }

    /// In this order of precedence: the agent's configuration, `.slipway.yaml`, kaniko manifests.
    private func pipelines(in tree: RevisionTree) async throws(AgentError) -> FoundBuilds {
        if !repository.builds.isEmpty {
            return FoundBuilds(pipelines: repository.builds)
        }
        if let file = tree.file(RepositoryFile.path) {
            let bytes = try await tools.mirror.read(file)
            do {
                return FoundBuilds(pipelines: try RepositoryFile.builds(in: bytes).map { Pipeline(admitting: $0) })
            } catch {
                return FoundBuilds(
                    skipped: [
                        SkippedBuild(
                            origin: error.place ?? RepositoryFile.path,
                            reason: error.summary + (error.cause.map { ": \($0)" } ?? ""), remedy: error.hint)
                    ])
            }
        }
        guard repository.discoversKaniko else { return FoundBuilds() }
        let discovery = KanikoDiscovery(
            repositoryURLs: [repository.url] + repository.aliases, branch: repository.branch,
            tree: KanikoDiscovery.Tree(
                isFile: { tree.file($0) != nil }, isDirectory: { tree.isDirectory($0) }))
        var found = FoundBuilds()
        for bytes in try await tools.index.kanikoFiles(in: tree, of: tools.mirror) {
            found.add(discovery.builds(in: bytes.path, bytes: bytes.content))
        }
        return found
    }
}
