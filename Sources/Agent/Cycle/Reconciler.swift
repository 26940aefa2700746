import Diagnostics
import Git
import ManifestUpdater
import OCI

/// How far a cycle goes.
package enum CycleMode: Sendable, Equatable {
    /// Builds nothing, pushes nothing, commits nothing; says what would be done.
    case plan
    /// Waits for its builds and rolls them out.
    case complete
    /// Hands builds to the queue and goes on with what the registry has; their end begins another cycle.
    case background
    /// The same for somebody who waits: registries are asked anew, and builds that failed by the world's fault are tried before
    /// their time.
    case asked
    /// The cycle behind the builds of an asked one: registries are asked anew, and what failed waits for its time.
    case followUp

    /// Whether the cycle lasts until its builds have ended.
    var waitsForBuilds: Bool { self == .complete }

    /// Whether somebody's word counts more than the back-off of a build that failed.
    var ignoresBackoff: Bool { self == .complete || self == .asked }
}

/// One cycle over one repository, read top to bottom: from the branch's head and what the registry holds to images, one
/// commit, and a report of every decision.
///
/// The cycle keeps nothing that it could not find again in git and in the registry: killed at any line and started anew
/// with an empty disk, it goes on where it was.
package struct Reconciler: Sendable {
    let repository: AgentConfiguration.RepositoryConfiguration
    let services: RepositoryServices
    let builds: BuildDiscovery
    let updates: UpdateDiscovery
    let maker: ImageMaker
    let selector: ImageSelector
    let publisher: Publisher
    /// The images that the repository follows.
    let followed = AskedImages()
    /// The head that was accepted last.
    let known = KnownHead()

    package init(repository: AgentConfiguration.RepositoryConfiguration, services: RepositoryServices) {
        self.repository = repository
        self.services = services
        let git = services.git
        builds = BuildDiscovery(repository: repository, remote: git.remote, revisions: git.revisions)
        updates = UpdateDiscovery(repository: repository, revisions: git.revisions)
        maker = ImageMaker(
            repository: repository, git: git, builds: services.builds, settings: services.settings)
        selector = ImageSelector(
            repository: repository, remote: git.remote, goesToBranch: git.settings.pushBranch != nil,
            git: git.settings)
        publisher = Publisher(repository: repository, git: git, tags: services.tags)
    }

    /// - Parameters:
    ///   - mode: whether anything is done, and whether builds are waited for.
    ///   - say: lines for people, while it runs.
    package func cycle(_ mode: CycleMode, say: @escaping @Sendable (ProgressLine) -> Void) async -> CycleReport {
        let cycle = CycleRecorder(report(dryRun: mode == .plan), say: say)
        do throws(ReconcileError) {
            let head = try await sync(in: cycle)
            let found = try await cycle.phase(.discover) { try await discover(at: head) }
            cycle.decide(found.builds.decisions + found.skipped + found.rivals)
            for failure in found.builds.failures { cycle.fail(ReconcileError(failure, in: .discover)) }

            // Whoever asks for a cycle wants to know what the registries hold now.
            let catalog = TagCatalog(services.tags, reuse: mode == .background ? services.reuse : 0)
            let facts = MakeFacts(
                tree: found.tree, history: found.history, targets: found.followed.targets, catalog: catalog)
            await maker.make(found.builds.pipelines, facts, mode: mode, in: cycle)

            try await update(found, catalog, from: head, in: cycle)
            try await apply(head, mode: mode, in: cycle)
        } catch {
            cycle.fail(error)
        }
        return cycle.report
    }

    /// Chooses images, rewrites manifests, and publishes what came of it.
    private func update(
        _ found: Discovered, _ catalog: TagCatalog, from head: TrustedHead, in cycle: CycleRecorder
    ) async throws(ReconcileError) {
        guard repository.updatesManifests else {
            cycle.decide("updates", "rewriting manifests is turned off for this repository")
            return
        }
        let choices = await selector.choices(
            ImageSelector.Facts(
                tree: found.tree, followed: found.followed, history: found.history, built: found.builtRepositories,
                catalog: catalog),
            in: cycle)
        followed.set(await catalog.asked, ages: cycle.ages)
        try await publisher.publish(requests(for: choices), from: head, in: cycle)
    }

    func report(dryRun: Bool) -> CycleReport {
        var report = CycleReport(
            repository: repository.name, url: services.git.remote.displayURL, branch: repository.branch)
        report.dryRun = dryRun
        return report
    }

    /// The branch's head, fetched and accepted.
    func sync(in cycle: CycleRecorder) async throws(ReconcileError) -> TrustedHead {
        cycle.say("Synchronizing with \(services.git.remote.displayURL)")
        let (head, isRewritten) = try await cycle.phase(.sync) { try await publisher.heads.fetch() }
        if isRewritten {
            cycle.say("The branch \(head.branch) was rewritten: the old head is not in its history any more")
        }
        known.set(head)
        cycle.started(at: head.commit)
        cycle.say("Revision of \(head.branch) to apply is \(head.commit.id.short)")
        return head
    }

    /// What the repository asks for at a revision.
    struct Discovered: Sendable {
        let tree: RevisionTree
        let history: BranchHistory
        let builds: BuildDiscovery.Found
        let followed: RevisionCache.Scan
        let rivals: [CycleReport.Decision]

        /// Repositories whose images the agent itself builds.
        var builtRepositories: Set<RepositoryLocation> {
            Set(builds.pipelines.flatMap { $0.destinations.map(\.repository) })
        }

        var skipped: [CycleReport.Decision] {
            followed.skipped.map { CycleReport.Decision(subject: $0.place, reason: $0.reason, isPassedOver: true) }
        }
    }

    func discover(at head: TrustedHead) async throws(AgentError) -> Discovered {
        let tree = try await services.git.revisions.tree(of: head.commit)
        let followed = try await updates.followed(in: tree)
        return Discovered(
            tree: tree, history: try await services.git.revisions.history(of: head.commit),
            builds: try await builds.builds(in: tree),
            followed: followed, rivals: try await updates.rivals(in: tree, of: followed))
    }

    /// The choices that go into one commit each: those of an object that has its own author, words or branch apart.
    private func requests(for choices: [ImageChoice]) -> [ChangeRequest] {
        let groups = groups(of: choices)
        var byFile: [String: [(group: Int, choice: ImageChoice)]] = [:]
        for (group, choices) in groups.enumerated() {
            for choice in choices { byFile[choice.file, default: []].append((group, choice)) }
        }
        return groups.enumerated().map { group, choices in
            let writeBack = choices.first?.writeBack
            let others = Set(choices.map(\.file)).sorted().flatMap { byFile[$0] ?? [] }
                .filter { $0.group != group && $0.choice.writeBack?.branch == writeBack?.branch }
            return ManifestRewriter.request(choices, beside: others.map(\.choice), writeBack: writeBack)
        }
    }

    private func groups(of choices: [ImageChoice]) -> [[ImageChoice]] {
        let byObject = Dictionary(grouping: choices, by: \.writeBack).sorted {
            ($0.key?.automation ?? "", $0.key?.location.description ?? "")
                < ($1.key?.automation ?? "", $1.key?.location.description ?? "")
        }
        return byObject.flatMap { _, choices -> [[ImageChoice]] in
            switch services.git.settings.commit.grouping {
            case .cycle: return [choices]
            case .image:
                return Dictionary(grouping: choices) { ImageName($0.newImage.description).name }.sorted {
                    $0.key < $1.key
                }
                .map(\.value)
            }
        }
    }
}
