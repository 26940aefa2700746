import Builder
import Diagnostics
import Git
import ManifestUpdater
import OCI
import Registry
import RegistryPoller
import Sandbox

extension Reconciler {
    /// Takes one pipeline from "did anything change" to a pushed image. A failure is the pipeline's own: it is recorded,
    /// and the others go on.
    func make(
        _ pipeline: Pipeline, at revision: Commit, targets: [ImageTarget], inventories: inout Inventories,
        in cycle: inout Cycle
    ) async {
        do {
            for note in pipeline.notes { cycle.decide(pipeline.name, note) }
            var known = inventories
            let decision = try await cycle.phase(.changed, subject: pipeline.name) {
                try await changed(pipeline, at: revision, targets: targets, inventories: &known)
            }
            inventories = known
            switch decision {
            case .upToDate(let reason):
                cycle.decide(pipeline.name, "nothing to build: \(reason)")
            case .rename(let record, let order):
                try await rename(record, order, at: revision, inventories: &inventories, in: &cycle)
            case .build(let order):
                try await build(order, at: revision, inventories: &inventories, in: &cycle)
            }
        } catch {
            cycle.fail(error)
        }
    }

    // MARK: Has it changed?

    private func changed(
        _ pipeline: Pipeline, at revision: Commit, targets: [ImageTarget], inventories: inout Inventories
    ) async throws(AgentError) -> ChangeDecision {
        guard let primary = Self.primary(of: pipeline) else {
            throw AgentError("the build has no destination", place: pipeline.origin)
        }
        let history = try await history(of: revision)
        let source = history.source ?? revision
        let tree = try await tools.index.tree(of: revision, in: tools.mirror)
        let request = try await request(for: pipeline, source: source, tree: tree)
        let inventory = try await explained {
            try await inventories.inventory(of: primary.repository, isFresh: true)
        }
        let key = try await explained { try await tools.builder.contentKey(request) }

        let existing = Set(inventory.tags.map(\.tag))
        let deployed = Self.deployedTags(of: primary.repository, in: targets)
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
                guard let parent = commit.parents.first else { continue }
                var paths = Set(try await tools.mirror.git.changedPaths(from: parent, to: commit.id))
                // What a merge brings in is told by the commits that it merges: of its own are only the paths that differ
                // from all parents. So the agent's own commits stay its own when a person merges their branch.
                for other in commit.parents.dropFirst() {
                    paths.formIntersection(try await tools.mirror.git.changedPaths(from: other, to: commit.id))
                }
                if CommitTrailer.isOwn(commit.message) { own.formUnion(paths) } else { others.formUnion(paths) }
            }
            var replaced: [String: TreeEntry] = [:]
            for path in own.subtracting(others) {
                if let entry = try await tools.mirror.git.objectID(at: path, in: old) { replaced[path] = entry }
            }
            guard !replaced.isEmpty else { return nil }
            let request = try self.request(request, for: pipeline, over: tree, replacing: replaced)
            return try await tools.builder.contentKey(request).description
        }
    }

    func history(of revision: Commit) async throws(AgentError) -> BranchHistory {
        try await tools.index.history(of: revision, in: tools.mirror)
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

    // MARK: Build and push

    private func build(
        _ order: BuildOrder, at revision: Commit, inventories: inout Inventories, in cycle: inout Cycle
    ) async throws(ReconcileError) {
        let names = order.names.map(\.description)
        if dryRun {
            cycle.decide(order.pipeline.name, "would build \(names.joined(separator: ", ")): \(order.reason)")
            remember(order, digest: nil, revision: order.request.annotations, in: &inventories)
            cycle.report.images.append(
                CycleReport.Image(
                    pipeline: order.pipeline.name, references: names, digest: "", layers: [], isolation: nil,
                    built: false, seconds: 0))
            return
        }
        say("Building \(names.joined(separator: ", ")) from \(order.pipeline.dockerfile): \(order.reason)")
        let start = ContinuousClock.now
        let progress = BuildProgress(say: say)
        let image = try await cycle.phase(.execute, subject: order.pipeline.name) {
            try await tools.builder.build(order.request, progress: progress.handle)
        }
        try await cycle.phase(.push, subject: order.pipeline.name) {
            _ = try await tools.builder.push(image, to: order.names, progress: progress.handle)
        }
        let seconds = (ContinuousClock.now - start).seconds
        remember(order, digest: image.manifestDigest, revision: image.manifest.annotations ?? [:], in: &inventories)
        cycle.report.images.append(
            CycleReport.Image(
                pipeline: order.pipeline.name, references: names, digest: image.manifestDigest.description,
                layers: image.layers.map {
                    CycleReport.Layer(
                        digest: $0.descriptor.digest.description, size: $0.descriptor.size, createdBy: $0.createdBy)
                }, isolation: image.isolation?.rawValue, built: true, seconds: seconds))
        say("Pushed \(names.joined(separator: ", ")) \(image.manifestDigest)")
    }

    /// Gives an image that the registry holds the names that it lacks; nothing is built.
    private func rename(
        _ record: TagRecord, _ order: BuildOrder, at revision: Commit, inventories: inout Inventories,
        in cycle: inout Cycle
    ) async throws(ReconcileError) {
        guard let primary = order.names.last else { return }
        let names = order.names.map(\.description)
        let verb = dryRun ? "would name" : "naming"
        cycle.decide(
            order.pipeline.name,
            "\(verb) \(names.joined(separator: ", ")): \(primary.repository):\(record.tag) was made from the same content"
        )
        let annotations = order.request.annotations
        if dryRun {
            remember(order, digest: record.digest, revision: annotations, in: &inventories)
            return
        }
        let digest = try await cycle.phase(.push, subject: order.pipeline.name) {
            guard let digest = record.digest else { throw AgentError("the registry gave no digest for \(record.tag)") }
            return try await tools.builder.rename(
                digest, in: primary.repository, to: order.names, annotations: annotations)
        }
        remember(order, digest: digest, revision: annotations, in: &inventories)
        cycle.report.images.append(
            CycleReport.Image(
                pipeline: order.pipeline.name, references: names, digest: digest.description, layers: [],
                isolation: nil, built: false, seconds: 0))
    }

    private func remember(
        _ order: BuildOrder, digest: Digest?, revision annotations: [String: String], in inventories: inout Inventories
    ) {
        var annotations = annotations
        annotations[Annotation.contentKey] = order.key.description
        for name in order.names {
            guard let tag = name.tag else { continue }
            inventories.add(
                TagRecord(
                    tag: tag, digest: digest, created: order.request.createdAt, annotations: annotations),
                to: name.repository)
        }
    }
}
