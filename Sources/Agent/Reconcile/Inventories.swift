import OCI
import RegistryPoller

/// What the registries hold, each repository scanned once in a cycle, with the images that the cycle itself has pushed.
struct Inventories {
    private let poller: RegistryPoller
    private var scanned: [RepositoryLocation: TagInventory] = [:]

    init(poller: RegistryPoller) { self.poller = poller }

    mutating func inventory(of location: RepositoryLocation) async throws(PollError) -> TagInventory {
        if let known = scanned[location] { return known }
        let inventory = try await poller.scan(location, needsCreationTime: true)
        scanned[location] = inventory
        return inventory
    }

    /// An image that was just pushed needs no scan to be known.
    mutating func add(_ record: TagRecord, to location: RepositoryLocation) {
        guard var inventory = scanned[location] else { return }
        inventory.tags.removeAll { $0.tag == record.tag }
        inventory.tags.append(record)
        scanned[location] = inventory
    }
}
