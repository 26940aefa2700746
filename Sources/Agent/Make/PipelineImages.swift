import OCI
import RegistryPoller

/// What one repository holds, as a pipeline sees it that pushes there.
struct PipelineImages: Sendable {
    let origin: ImageOrigin
    let inventory: TagInventory
    /// The tags under which workloads run images of the repository. They are taken even where the registry does not have
    /// them (any more): nodes keep what they once pulled under a tag.
    let deployed: Set<String>

    var location: RepositoryLocation { inventory.repository }

    var tags: Set<String> { Set(inventory.tags.map(\.tag)) }

    func record(_ tag: String) -> TagRecord? { inventory.tags.first { $0.tag == tag } }

    /// The pipeline's own images: those that it made, and whatever was made from the same content.
    func own(_ keys: Set<String>) -> [TagRecord] {
        inventory.tags.filter { record in
            record.annotations[Annotation.contentKey].map(keys.contains) == true || origin.mayBeOwn(record.annotations)
        }
    }

    /// The newest of its images under the names that a naming gives.
    func current(_ naming: TagNaming, isMutable: Bool, _ keys: Set<String>) -> TagRecord? {
        origin.newest(own(keys).filter { match(naming, $0, isMutable: isMutable) != nil })
    }

    /// Whether a naming gives an image's tag, and with which number.
    func match(_ naming: TagNaming, _ record: TagRecord, isMutable: Bool) -> TagTemplate.Match? {
        switch naming {
        case .literal(let tag):
            if !isMutable, let series = TagSeries(tag), let other = TagSeries(record.tag) {
                return other.prefix == series.prefix ? TagTemplate.Match(number: other.number) : nil
            }
            return record.tag == tag ? TagTemplate.Match(number: nil) : nil
        case .template(let template):
            return template.match(
                record.tag, branch: origin.branch, commit: record.annotations[Annotation.revision])
        }
    }

    /// Tags that a pipeline may give and that lead to nothing, as far as the registry says; those with the highest numbers.
    func unread(_ pipeline: Pipeline) -> [String] {
        let namings = pipeline.destinations.filter { $0.repository == location }.map(\.naming)
        let found = inventory.tags.filter { $0.digest == nil && $0.problem != nil }.compactMap { record in
            namings.lazy.compactMap { match($0, record, isMutable: pipeline.isMutable) }.first
                .map { (tag: record.tag, number: $0.number ?? .max) }
        }
        return found.sorted { $0.number < $1.number }.suffix(Self.mostUnread).map(\.tag)
    }

    private static let mostUnread = 8
}
