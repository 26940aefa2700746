import Builder
import Git
import ManifestUpdater
import OCI
import RegistryPoller

/// What a cycle knows when it makes images.
struct MakeFacts: Sendable {
    let tree: RevisionTree
    let history: BranchHistory
    /// The images that workloads of the repository run.
    let targets: [ImageTarget]
    let catalog: TagCatalog
}

/// Decides whether a pipeline has to build, and which names its image gets.
///
/// A pipeline is up to date when the newest image of its destination records the content key that the revision gives.
struct UpToDateCheck: Sendable {
    let repository: AgentConfiguration.RepositoryConfiguration
    let settings: AgentConfiguration.BuildsConfiguration
    let remote: any GitRemote
    let builder: any ImageBuilding
    let clock: any AgentClock
    let authorship: CommitAuthorship

    func decision(
        for pipeline: Pipeline, in facts: MakeFacts
    ) async throws(AgentError) -> ChangeDecision {
        guard let primary = Self.primary(of: pipeline) else {
            throw AgentError("the build has no destination", place: pipeline.origin)
        }
        let (history, tree) = (facts.history, facts.tree)
        let source = try await authorship.source(of: history) ?? tree.revision
        var request = try await PipelineRequest(pipeline, of: repository, tree: tree, remote: remote)
            .request(source: source)
        settings.apply(to: &request, of: pipeline, now: clock.now)
        let inventory = try await explained {
            try await facts.catalog.inventory(of: primary.repository, isFresh: true)
        }
        let key = try await explained { try await builder.contentKey(request) }

        let existing = Set(inventory.tags.map(\.tag))
        let deployed = Self.deployedTags(of: primary.repository, in: facts.targets)
        let own = inventory.tags.filter { $0.annotations[Annotation.contentKey] != nil }
        let newest = CandidateOrder.ranked(own, position: history.position).last
            .flatMap { candidate in own.first { $0.tag == candidate.tag } }
        let asked = TagDecision.asksForNew(primary.naming, existing: existing, deployed: deployed)

        if let newest, !asked {
            let recorded = newest.annotations[Annotation.contentKey]
            if recorded == key.description {
                return .upToDate("\(primary.repository):\(newest.tag) was made from the same content")
            }
            if let recorded,
                try await keyWithoutOwnCommits(
                    pipeline, request: request, tree: tree, history: history, since: newest) == recorded
            {
                return .upToDate(
                    "only the agent's own commits changed the context since \(primary.repository):\(newest.tag)")
            }
        }
        let names = try names(
            for: pipeline, primary: primary, source: source, existing: existing, deployed: deployed)
        var reason =
            newest.map { "the content differs from that of \($0.tag)" }
            ?? "the registry holds no image that was made from this repository"
        if case .literal(let tag) = primary.naming, let given = names.last?.tag, given != tag {
            reason +=
                "; \(tag) is taken (\(existing.contains(tag) ? "by an image" : "a workload runs it")), so it is \(given)"
        }
        let order = BuildOrder(
            pipeline: pipeline, request: request, key: key, names: names,
            reason: asked && newest?.annotations[Annotation.contentKey] == key.description ? "the tag is new" : reason)
        if let same = own.last(where: { $0.annotations[Annotation.contentKey] == key.description }) {
            return .rename(same, order)
        }
        return .build(order)
    }

    /// The key that the context would have without the changes that only the agent's own commits made.
    private func keyWithoutOwnCommits(
        _ pipeline: Pipeline, request: BuildRequest, tree: RevisionTree, history: BranchHistory, since record: TagRecord
    ) async throws(AgentError) -> String? {
        guard let revision = record.annotations[Annotation.revision], let since = history.since(revision),
            since.contains(where: { CommitTrailer.isOwn($0.message) }), let old = try? ObjectID(hex: revision)
        else { return nil }
        return try await explained {
            var own: Set<String> = []
            var others: Set<String> = []
            for commit in since {
                let paths = try await authorship.paths(of: commit)
                own.formUnion(paths.own)
                others.formUnion(paths.others)
            }
            var replaced: [String: TreeEntry] = [:]
            for path in own.subtracting(others) {
                if let entry = try await remote.entry(at: path, in: old) { replaced[path] = entry }
            }
            guard !replaced.isEmpty else { return nil }
            let request = try PipelineRequest(pipeline, of: repository, tree: tree, remote: remote)
                .request(request, replacing: replaced)
            return try await builder.contentKey(request).description
        }
    }

    /// The destination that decides whether there is something to do: the first with a name that is given once.
    private static func primary(of pipeline: Pipeline) -> Pipeline.Destination? {
        pipeline.destinations.first { destination in
            switch destination.naming {
            case .template: true
            case .literal(let tag): TagSeries(tag) != nil
            }
        } ?? pipeline.destinations.first
    }

    private static func deployedTags(of repository: RepositoryLocation, in targets: [ImageTarget]) -> Set<String> {
        Set(
            targets.compactMap { target in
                guard let image = try? Reference(target.image), ImageLocation(image).repository == repository
                else { return nil }
                return image.tag
            })
    }

    private func names(
        for pipeline: Pipeline, primary: Pipeline.Destination, source: Commit, existing: Set<String>,
        deployed: Set<String>
    ) throws(AgentError) -> [ImageLocation] {
        let values = TagTemplate.Values(
            branch: repository.branch, commit: source.id.description, commitTime: source.committer.time)
        var names: [ImageLocation] = []
        for destination in pipeline.destinations.filter({ $0 != primary }) + [primary] {
            // A second repository follows the first one's numbers, so that one image has one number everywhere.
            let outcome: TagDecision.Outcome
            do {
                outcome = try TagDecision.tag(
                    for: destination.naming, values: values, existing: existing,
                    deployed: deployed, isMutable: pipeline.isMutable)
            } catch { throw AgentError(error.reason, place: pipeline.origin) }
            switch outcome {
            case .fresh(let tag), .moving(let tag):
                names.append(ImageLocation(repository: destination.repository, tag: tag))
            case .taken(let tag):
                throw AgentError(
                    "tag '\(tag)' of \(destination.repository) belongs to another image", place: pipeline.origin,
                    hint: "write a tag that is free, a template such as {branch}-{commit.short}, or 'mutable: true'")
            }
        }
        return names
    }
}
