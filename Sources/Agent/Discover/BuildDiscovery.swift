import Diagnostics
import Git
import YAML

/// Finds the builds that a repository asks for at a revision.
package struct BuildDiscovery: Sendable {
    let repository: AgentConfiguration.RepositoryConfiguration
    let remote: any GitRemote
    let revisions: RevisionCache

    /// What was found, and what looked like a build and is none.
    struct Found: Sendable {
        var pipelines: [Pipeline] = []
        /// Builds that are not ours, or not of this branch.
        var decisions: [CycleReport.Decision] = []
        /// Declarations that somebody has to mend.
        var failures: [AgentError] = []

        mutating func leaveOut(_ skipped: SkippedBuild) {
            if skipped.isError {
                failures.append(AgentError(skipped.reason, place: skipped.origin, hint: skipped.remedy))
            } else {
                decisions.append(
                    CycleReport.Decision(
                        subject: skipped.origin, reason: skipped.reason, remedy: skipped.remedy,
                        isPassedOver: skipped.isPassedOver))
            }
        }

        /// Whether nothing looks like a build. What was not looked at looks like nothing.
        var isEmpty: Bool {
            pipelines.isEmpty && failures.isEmpty && decisions.allSatisfy { $0.isPassedOver == true }
        }
    }

    func builds(in tree: RevisionTree) async throws(AgentError) -> Found {
        var found = try await declared(in: tree)
        if found.isEmpty {
            found.decisions.append(
                CycleReport.Decision(
                    subject: "builds", reason: "the repository describes none",
                    remedy:
                        "declare one under 'builds:' in .slipway.yaml, or keep a kaniko Job or Pod in the repository"))
        }
        keepAllowed(&found)
        for index in found.pipelines.indices {
            found.pipelines[index].contexts.merge(repository.contexts.mapValues { .configured($0) }) { own, _ in own }
        }
        return found
    }

    /// In this order of precedence: the agent's configuration, `.slipway.yaml`, kaniko manifests.
    private func declared(in tree: RevisionTree) async throws(AgentError) -> Found {
        if !repository.builds.isEmpty { return Found(pipelines: repository.builds) }
        if let file = tree.file(RepositoryFile.path) {
            switch try await revisions.declaredBuilds(in: file) {
            case .success(let pipelines?): return Found(pipelines: pipelines)
            // It says nothing of builds.
            case .success(nil): break
            case .failure(let error):
                return Found(failures: [
                    AgentError(
                        error.summary, place: error.place ?? RepositoryFile.path, cause: error.cause, hint: error.hint)
                ])
            }
        }
        guard repository.discoversKaniko else { return Found() }
        return try await kanikoBuilds(in: tree)
    }

    private func kanikoBuilds(in tree: RevisionTree) async throws(AgentError) -> Found {
        let discovery = KanikoDiscovery(
            repositoryURLs: [repository.url] + repository.aliases, branch: repository.branch,
            tree: KanikoDiscovery.Tree(
                isFile: { tree.file($0) != nil }, isDirectory: { tree.isDirectory($0) }))
        var found = Found()
        for file in try await revisions.unread(in: tree) {
            found.leaveOut(
                SkippedBuild(origin: file.place, reason: file.reason, isError: false, isPassedOver: true))
        }
        for file in try await revisions.kanikoFiles(in: tree) {
            let builds = discovery.builds(in: file.path, bytes: file.content)
            found.pipelines += builds.pipelines.map { Pipeline(admitting: $0) }
            for skipped in builds.skipped { found.leaveOut(skipped) }
        }
        return found
    }

    /// Leaves out the builds that would push where the operator does not let this repository push.
    private func keepAllowed(_ found: inout Found) {
        var kept: [Pipeline] = []
        for pipeline in found.pipelines {
            if let problem = repository.allowed.problem(with: pipeline, of: repository.name) {
                found.leaveOut(problem)
            } else {
                kept.append(pipeline)
            }
        }
        found.pipelines = kept
    }
}
