import OCI
import RegistryPoller

/// What the registries hold, each repository scanned once in a cycle, with the images that the cycle itself has pushed.
struct Inventories {
    private let poller: RegistryPoller
    private var scanned: [RepositoryLocation: TagInventory] = [:]
    /// Where only images for certain platforms count.
    private var narrowed: [Narrowed: TagInventory] = [:]
    /// Of repositories whose images nobody has to look at.
    private var listed: [RepositoryLocation: TagInventory] = [:]
    private var looks: [ImageLocation: TagRecord] = [:]

    private struct Narrowed: Hashable {
        let location: RepositoryLocation
        let platforms: [Platform]
    }

    init(poller: RegistryPoller) { self.poller = poller }

    mutating func inventory(of location: RepositoryLocation) async throws(PollError) -> TagInventory {
        if let known = scanned[location] { return known }
        let inventory = try await poller.scan(location, needsCreationTime: true)
        scanned[location] = inventory
        return inventory
    }

    /// - Parameter platforms: what every image has to exist for.
    mutating func inventory(
        of location: RepositoryLocation, platforms: [Platform]
    ) async throws(PollError) -> TagInventory {
        if platforms.isEmpty { return try await inventory(of: location) }
        let key = Narrowed(location: location, platforms: platforms)
        if let known = narrowed[key] { return known }
        let inventory = try await poller.scan(location, needsCreationTime: true, platforms: platforms)
        narrowed[key] = inventory
        return inventory
    }

    /// The tags alone: one request, however many there are.
    mutating func names(of location: RepositoryLocation) async throws(PollError) -> TagInventory {
        if let known = scanned[location] ?? listed[location] { return known }
        let inventory = try await poller.scan(location, needsCreationTime: false)
        listed[location] = inventory
        return inventory
    }

    /// The image behind one tag.
    mutating func look(at tag: String, in location: RepositoryLocation) async throws(PollError) -> TagRecord {
        if let known = scanned[location]?.tags.first(where: { $0.tag == tag }) { return known }
        let image = ImageLocation(repository: location, tag: tag)
        if let known = looks[image] { return known }
        let record = try await poller.look(at: tag, in: location)
        looks[image] = record
        return record
    }

    /// An image that was just pushed needs no scan to be known.
    mutating func add(_ record: TagRecord, to location: RepositoryLocation) {
        guard var inventory = scanned[location] else { return }
        inventory.tags.removeAll { $0.tag == record.tag }
        inventory.tags.append(record)
        scanned[location] = inventory
    }
}
