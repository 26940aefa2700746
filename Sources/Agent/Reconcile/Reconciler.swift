import Builder
import Diagnostics
import Git
import ManifestUpdater
import OCI
import RegistryPoller

/// One cycle over one repository, read top to bottom: from the branch's head and what the registry holds to images, one
/// commit, and a report of every decision.
///
/// The cycle keeps nothing that it could not find again in git and in the registry: killed at any line and started anew
/// with an empty disk, it goes on where it was.
package struct Reconciler: Sendable {
    let repository: AgentConfiguration.RepositoryConfiguration
    let tools: Tools
    /// Builds nothing, pushes nothing, commits nothing; says what would be done.
    let dryRun: Bool
    let say: @Sendable (String) -> Void

    package init(
        repository: AgentConfiguration.RepositoryConfiguration, tools: Tools, dryRun: Bool = false,
        say: @escaping @Sendable (String) -> Void
    ) {
        self.repository = repository
        self.tools = tools
        self.dryRun = dryRun
        self.say = say
    }

    package func cycle() async -> CycleReport {
        var cycle = Cycle(repository: repository, tools: tools, dryRun: dryRun, say: say)
        do throws(ReconcileError) {
            say("Synchronizing with \(tools.mirror.displayURL)")
            let revision = try await cycle.phase(.sync) { try await sync() }
            cycle.report.revision = revision.id.description
            say("Revision of \(repository.branch) to apply is \(revision.id.short)")

            let found = try await cycle.phase(.discover) { try await discover(at: revision) }
            cycle.decide(found.decisions)
            var inventories = Inventories(poller: tools.poller, reuse: tools.reuse)
            for pipeline in found.pipelines {
                await make(pipeline, at: revision, targets: found.targets, inventories: &inventories, in: &cycle)
            }

            guard repository.updatesManifests else {
                cycle.decide("updates", "rewriting manifests is turned off for this repository")
                return cycle.finished()
            }
            let built = Set(found.pipelines.flatMap { $0.destinations.map(\.repository) })
            let commits = try await cycle.phase(.scan) { try await history(of: revision) }
            var sources = ImageSources(built: built, history: commits, inventories: inventories)
            let selections = await select(for: found, &sources, in: &cycle)

            try await deliver(selections, at: revision, in: &cycle)
            return cycle.finished()
        } catch {
            cycle.fail(error)
            return cycle.finished()
        }
    }
}
