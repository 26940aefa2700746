import OCI
import RegistryPoller

/// Chooses the names that an image gets, by what the destinations hold.
struct NamePlanner: Sendable {
    let pipeline: Pipeline
    let images: [RepositoryLocation: PipelineImages]
    /// The content keys of images that count as this one.
    let keys: Set<String>
    /// What the image is named after.
    let values: TagTemplate.Values

    /// The destination that decides whether there is something to do: the first with a name that is given once, else the first.
    static func primary(of pipeline: Pipeline) -> Pipeline.Destination? {
        pipeline.destinations.first { destination in
            switch destination.naming {
            case .template(let template): !pipeline.isMutable || template.countsBuilds
            case .literal(let tag): !pipeline.isMutable && TagSeries(tag) != nil
            }
        } ?? pipeline.destinations.first
    }

    func plan(_ primary: Pipeline.Destination) throws(AgentError) -> NamePlan {
        var names: [PlannedName] = []
        for destination in pipeline.destinations.filter({ $0 != primary }) + [primary] {
            let name = try name(for: destination)
            if !names.contains(where: { $0.location == name.location }) { names.append(name) }
        }
        return NamePlan(names)
    }

    private func name(for destination: Pipeline.Destination) throws(AgentError) -> PlannedName {
        let repository = destination.repository
        if let number = try number(for: destination.naming) {
            return PlannedName(repository: repository, tag: number.tag, rule: .numbered(number))
        }
        let record = images[repository]?.inventory.tags
        switch try outcome(destination.naming, in: [repository]) {
        case .moving(let tag):
            return PlannedName(
                repository: repository, tag: tag,
                rule: .moving(from: record?.first { $0.tag == tag }?.digest))
        case .fresh(let tag): return PlannedName(repository: repository, tag: tag, rule: .once)
        case .taken(let tag):
            let holder = record?.first { $0.tag == tag }?.annotations[Annotation.contentKey]
            guard let holder, keys.contains(holder) else { throw Self.taken(tag, repository, pipeline) }
            return PlannedName(repository: repository, tag: tag, rule: .once)
        }
    }

    static func taken(_ tag: String, _ repository: RepositoryLocation, _ pipeline: Pipeline) -> AgentError {
        AgentError(
            "tag '\(tag)' of \(repository) belongs to another image", place: pipeline.origin,
            hint: "write a tag that is free, a template such as {branch}-{commit.short}, or 'mutable: true'")
    }

    // MARK: Numbers

    /// The number that a naming gives in all repositories where it is asked for, so that one image has one number everywhere;
    /// `nil` where it gives none.
    private func number(for naming: TagNaming) throws(AgentError) -> NumberedTag? {
        guard let (before, after) = surroundings(of: naming) else { return nil }
        let places = pipeline.destinations.filter { $0.naming == naming }.compactMap { images[$0.repository] }
        // Some repositories may have the image already, where its push was cut off: the others follow them.
        let numbers = places.map { place in given(naming, in: place) }
        if let known = numbers.compactMap(\.self).max(),
            zip(places, numbers).allSatisfy({ place, number in
                number == known || Self.highest(before, after, naming, in: place) < known
            })
        {
            return NumberedTag(before: before, number: known, after: after)
        }
        let tag: String
        switch try outcome(naming, in: places.map(\.location)) {
        case .fresh(let text), .moving(let text), .taken(let text): tag = text
        }
        guard let number = Int(tag.dropFirst(before.count).dropLast(after.count)) else { return nil }
        return NumberedTag(before: before, number: number, after: after)
    }

    /// The number under which a repository has the image, as its newest.
    private func given(_ naming: TagNaming, in place: PipelineImages) -> Int? {
        guard let record = place.current(naming, isMutable: pipeline.isMutable, keys),
            let key = record.annotations[Annotation.contentKey], keys.contains(key),
            let number = place.match(naming, record, isMutable: pipeline.isMutable)?.number
        else { return nil }
        // A newer number in the manifest asks for a name that is not there yet.
        if case .literal(let tag) = naming, let series = TagSeries(tag), number < series.number { return nil }
        return number
    }

    private func surroundings(of naming: TagNaming) -> (before: String, after: String)? {
        switch naming {
        case .literal(let tag):
            guard !pipeline.isMutable, let series = TagSeries(tag) else { return nil }
            return (series.prefix, "")
        case .template(let template):
            let (before, after) = template.surroundings(of: values)
            return after.map { (before, $0) }
        }
    }

    private static func highest(
        _ before: String, _ after: String, _ naming: TagNaming, in place: PipelineImages
    ) -> Int {
        let tags = place.tags.union(place.deployed)
        if case .literal(let tag) = naming { return TagSeries(tag)?.highest(in: tags) ?? -1 }
        return TagTemplate.next(before, after, tags) - 1
    }

    private func outcome(
        _ naming: TagNaming, in repositories: [RepositoryLocation]
    ) throws(AgentError) -> TagDecision.Outcome {
        let places = repositories.compactMap { images[$0] }
        do {
            return try TagDecision.tag(
                for: naming, values: values, existing: places.reduce(into: []) { $0.formUnion($1.tags) },
                deployed: places.reduce(into: []) { $0.formUnion($1.deployed) }, isMutable: pipeline.isMutable)
        } catch { throw AgentError(error.reason, place: pipeline.origin) }
    }
}
