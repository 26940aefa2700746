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
/// A pipeline is up to date when the newest image under its deciding name records the content key that the revision gives.
/// That name is given last, so it says that all others were given. Where it is missing and any other name leads to an image of
/// the content, a push was cut off, and the image gets the names that it lacks.
struct UpToDateCheck: Sendable {
    let repository: AgentConfiguration.RepositoryConfiguration
    let settings: AgentConfiguration.BuildsConfiguration
    let remote: any GitRemote
    private(set) var builder: any ImageBuilding
    let clock: any AgentClock
    let authorship: CommitAuthorship

    /// The same check, that has content keys worked out by another builder.
    func asking(_ builder: any ImageBuilding) -> UpToDateCheck {
        var copy = self
        copy.builder = builder
        return copy
    }

    /// Asks the registry what the decision will want to know. What fails is asked again then, and told.
    func lookAhead(for pipeline: Pipeline, in facts: MakeFacts) async {
        guard let primary = NamePlanner.primary(of: pipeline) else { return }
        _ = try? await facts.catalog.inventory(.own(primary.repository), isFresh: true)
    }

    func decision(
        for pipeline: Pipeline, in facts: MakeFacts
    ) async throws(AgentError) -> ChangeDecision {
        guard let primary = NamePlanner.primary(of: pipeline) else {
            throw AgentError("the build has no destination", place: pipeline.origin)
        }
        let source = try await authorship.source(of: facts.history) ?? facts.tree.revision
        var request = try await PipelineRequest(
            pipeline, of: repository, tree: facts.tree, remote: remote, fetching: settings.fetched(for: pipeline)
        ).request(source: source)
        settings.apply(to: &request, of: pipeline, now: clock.now)
        let origin = ImageOrigin(
            pipeline, branch: repository.branch, source: remote.displayURL, history: facts.history)
        var place = try await images(in: primary.repository, of: origin, facts)
        let key = try await explained { try await builder.contentKey(request) }
        var keys: Set = [key.description]
        func upToDate() async throws(AgentError) -> ChangeDecision? {
            try await reasonToRest(pipeline, primary, in: place, request: request, keys: keys, facts: facts)
                .map { .upToDate($0) }
        }
        if let decision = try await upToDate() { return decision }
        let known = place.inventory
        place = try await settledImages(in: primary.repository, of: origin, for: pipeline, facts)
        if place.inventory != known, let decision = try await upToDate() { return decision }

        let current = place.current(primary.naming, isMutable: pipeline.isMutable, keys)
        let isAsked = TagDecision.asksForNew(primary.naming, existing: place.tags, deployed: place.deployed)
        var places = [place]
        for destination in pipeline.destinations
        where !places.contains(where: { $0.location == destination.repository }) {
            places.append(try await settledImages(in: destination.repository, of: origin, for: pipeline, facts))
        }
        for place in places {
            guard let newest = origin.newest(place.own(keys)), !newest.has(keys), newest != current,
                try await differsByOwnCommits(newest, pipeline, request, facts),
                let recorded = newest.annotations[Annotation.contentKey]
            else { continue }
            keys.insert(recorded)
        }
        let found = Self.found(in: places, keys, isAsked: isAsked, request.annotations)
        var named: Commit?
        if let found, found.annotations.isEmpty { named = try await commit(of: found, in: places, facts.history) }
        let plan = try NamePlanner(
            pipeline: pipeline, images: Dictionary(places.map { ($0.location, $0) }) { first, _ in first }, keys: keys,
            values: values(named ?? source)
        ).plan(primary)
        let order = BuildOrder(
            pipeline: pipeline, request: request, revision: facts.tree.revision, key: key, plan: plan,
            reason: isAsked && current?.has(keys) == true
                ? "the tag is new" : reason(place, primary, plan, current ?? origin.newest(place.own(keys))),
            origin: origin, keys: keys)
        return found.map { .rename($0, order) } ?? .build(order)
    }

    /// Why there is nothing to do; `nil` when there is.
    private func reasonToRest(
        _ pipeline: Pipeline, _ primary: Pipeline.Destination, in place: PipelineImages, request: BuildRequest,
        keys: Set<String>, facts: MakeFacts
    ) async throws(AgentError) -> String? {
        guard !TagDecision.asksForNew(primary.naming, existing: place.tags, deployed: place.deployed),
            let current = place.current(primary.naming, isMutable: pipeline.isMutable, keys)
        else { return nil }
        let name = "\(place.location):\(current.tag)"
        if current.has(keys) { return "\(name) was made from the same content" }
        guard try await differsByOwnCommits(current, pipeline, request, facts) else { return nil }
        return "only the agent's own commits changed the context since \(name)"
    }

    private func images(
        in location: RepositoryLocation, of origin: ImageOrigin, _ facts: MakeFacts
    ) async throws(AgentError) -> PipelineImages {
        let inventory = try await explained {
            try await facts.catalog.inventory(.own(location), isFresh: true)
        }
        return PipelineImages(
            origin: origin, inventory: inventory, deployed: Self.deployedTags(of: location, in: facts.targets))
    }

    /// The same, after a second look at what the registry could not say.
    private func settledImages(
        in location: RepositoryLocation, of origin: ImageOrigin, for pipeline: Pipeline, _ facts: MakeFacts
    ) async throws(AgentError) -> PipelineImages {
        try await UnreadTags(catalog: facts.catalog, clock: clock).settle(pipeline) { () async throws(AgentError) in
            try await images(in: location, of: origin, facts)
        }
    }

    private func values(_ commit: Commit) -> TagTemplate.Values {
        TagTemplate.Values(
            branch: repository.branch, commit: commit.id.description, commitTime: commit.committer.time)
    }

    private func reason(
        _ place: PipelineImages, _ primary: Pipeline.Destination, _ plan: NamePlan, _ newest: TagRecord?
    ) -> String {
        let reason =
            newest.map { "the content differs from that of \($0.tag)" }
            ?? "the registry holds no image that was made from this repository"
        guard case .literal(let tag) = primary.naming, let given = plan.names.last?.tag, given != tag else {
            return reason
        }
        let holder = place.tags.contains(tag) ? "by an image" : "a workload runs it"
        return reason + "; \(tag) is taken (\(holder)), so it is \(given)"
    }

    // MARK: An image that is there

    /// An image of the content. One that is the newest of its repository is what the last push left, and stays as it is; an
    /// older one comes back, and is given new names as what this revision made.
    ///
    /// - Parameter annotations: what is put over those of an image that comes back.
    private static func found(
        in places: [PipelineImages], _ keys: Set<String>, isAsked: Bool, _ annotations: [String: String]
    ) -> KnownImage? {
        func known(_ record: TagRecord, _ place: PipelineImages, _ annotations: [String: String]) -> KnownImage? {
            record.digest.map {
                KnownImage(
                    location: ImageLocation(repository: place.location, tag: record.tag), digest: $0,
                    annotations: annotations)
            }
        }
        for place in places where !isAsked {
            guard let newest = place.origin.newest(place.own(keys)), newest.has(keys),
                newest.annotations[Annotation.revision].flatMap(place.origin.history.position) != nil
            else { continue }
            if let image = known(newest, place, [:]) { return image }
        }
        for place in places {
            if let record = place.own(keys).last(where: { $0.has(keys) }),
                let image = known(record, place, annotations)
            {
                return image
            }
        }
        return nil
    }

    /// The commit that an image was made from; `nil` when it is not of this branch.
    private func commit(
        of image: KnownImage, in places: [PipelineImages], _ history: BranchHistory
    ) async throws(AgentError) -> Commit? {
        let place = places.first { $0.location == image.location.repository }
        let record = image.location.tag.flatMap { tag in place?.record(tag) }
        guard let revision = record?.annotations[Annotation.revision], history.position(revision) != nil else {
            return nil
        }
        return try await explained { try await remote.commit(try ObjectID(hex: revision)) }
    }

    /// Whether an image was made from the content as it was before the agent's own commits.
    private func differsByOwnCommits(
        _ record: TagRecord, _ pipeline: Pipeline, _ request: BuildRequest, _ facts: MakeFacts
    ) async throws(AgentError) -> Bool {
        guard let recorded = record.annotations[Annotation.contentKey] else { return false }
        return try await keyWithoutOwnCommits(
            pipeline, request: request, tree: facts.tree, history: facts.history, since: record) == recorded
    }

    /// The key that the context would have without the changes that only the agent's own commits made.
    private func keyWithoutOwnCommits(
        _ pipeline: Pipeline, request: BuildRequest, tree: RevisionTree, history: BranchHistory, since record: TagRecord
    ) async throws(AgentError) -> String? {
        guard let revision = record.annotations[Annotation.revision], let since = history.since(revision),
            since.contains(where: \.isOwn), let old = try? ObjectID(hex: revision)
        else { return nil }
        return try await explained {
            var own: Set<String> = []
            var others: Set<String> = []
            for commit in since {
                let paths = try await authorship.paths(of: try await remote.commit(commit.id))
                own.formUnion(paths.own)
                others.formUnion(paths.others)
            }
            var replaced: [String: TreeEntry] = [:]
            for path in own.subtracting(others) {
                if let entry = try await remote.entry(at: path, in: old) { replaced[path] = entry }
            }
            guard !replaced.isEmpty else { return nil }
            let request = try await PipelineRequest(
                pipeline, of: repository, tree: tree, remote: remote, fetching: settings.fetched(for: pipeline)
            ).request(request, replacing: replaced)
            return try await builder.contentKey(request).description
        }
    }

    private static func deployedTags(of repository: RepositoryLocation, in targets: [ImageTarget]) -> Set<String> {
        // Many workloads run one image.
        Set(
            Set(targets.map(\.image)).compactMap { written in
                guard let image = try? Reference(written.description), ImageLocation(image).repository == repository
                else { return nil }
                return image.tag
            })
    }
}

extension TagRecord {
    /// Whether the image was made from content of one of the keys.
    fileprivate func has(_ keys: Set<String>) -> Bool {
        annotations[Annotation.contentKey].map(keys.contains) ?? false
    }
}

extension TagCatalog.ScanRequest {
    /// A repository that the agent pushes to: the images say what they were made from.
    fileprivate static func own(_ location: RepositoryLocation) -> TagCatalog.ScanRequest {
        TagCatalog.ScanRequest(location: location, images: .all)
    }
}
