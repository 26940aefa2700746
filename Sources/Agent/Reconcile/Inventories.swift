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
    private var added: [ImageLocation: TagRecord] = [:]
    /// Seconds for which a scan of another cycle will do.
    private let reuse: Int64

    private struct Narrowed: Hashable {
        let location: RepositoryLocation
        let platforms: [Platform]
    }

    init(poller: RegistryPoller, reuse: Int64 = 0) {
        self.poller = poller
        self.reuse = reuse
    }

    /// What will be asked of a repository.
    struct Wish: Hashable {
        let location: RepositoryLocation
        /// Whether the images are looked at, and for which platforms; otherwise the names will do.
        let isComplete: Bool
        let platforms: [Platform]
    }

    /// Repositories that are scanned at the same time; the requests to one registry have a bound of their own.
    private static let concurrency = 16

    /// Scans repositories side by side. Those that fail are asked again when they are needed, where the failure is told.
    mutating func prefetch(_ wishes: Set<Wish>) async {
        let complete = Set(wishes.filter { $0.isComplete && $0.platforms.isEmpty }.map(\.location))
        let wanted = wishes.filter { wish in
            wish.isComplete
                ? (wish.platforms.isEmpty
                    ? scanned[wish.location] == nil
                    : narrowed[Narrowed(location: wish.location, platforms: wish.platforms)] == nil)
                : scanned[wish.location] == nil && listed[wish.location] == nil && !complete.contains(wish.location)
        }
        guard wanted.count > 1 else { return }
        let (poller, reuse) = (poller, reuse)
        let found = await withTaskGroup(of: (Wish, TagInventory?).self) { group in
            var waiting = wanted.makeIterator()
            func startNext() {
                guard let wish = waiting.next() else { return }
                group.addTask {
                    let inventory = try? await poller.scan(
                        wish.location, needsCreationTime: wish.isComplete, platforms: wish.platforms, reuse: reuse)
                    return (wish, inventory)
                }
            }
            for _ in 0..<Self.concurrency { startNext() }
            var found: [(Wish, TagInventory)] = []
            while let (wish, inventory) = await group.next() {
                if let inventory { found.append((wish, inventory)) }
                startNext()
            }
            return found
        }
        for (wish, inventory) in found {
            if !wish.isComplete {
                listed[wish.location] = inventory
            } else if wish.platforms.isEmpty {
                scanned[wish.location] = inventory
            } else {
                narrowed[Narrowed(location: wish.location, platforms: wish.platforms)] = inventory
            }
        }
    }

    /// - Parameter isFresh: a scan of another cycle will not do, because what is pushed depends on it.
    mutating func inventory(
        of location: RepositoryLocation, isFresh: Bool = false
    ) async throws(PollError) -> TagInventory {
        if let known = scanned[location] { return known }
        let inventory = try await poller.scan(location, needsCreationTime: true, reuse: isFresh ? 0 : reuse)
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
        let inventory = try await poller.scan(location, needsCreationTime: true, platforms: platforms, reuse: reuse)
        narrowed[key] = inventory
        return inventory
    }

    /// The tags alone: one request, however many there are.
    mutating func names(of location: RepositoryLocation) async throws(PollError) -> TagInventory {
        if let known = scanned[location] ?? listed[location] { return known }
        let inventory = try await poller.scan(location, needsCreationTime: false, reuse: reuse)
        listed[location] = inventory
        return inventory
    }

    /// The image behind one tag.
    mutating func look(at tag: String, in location: RepositoryLocation) async throws(PollError) -> TagRecord {
        let image = ImageLocation(repository: location, tag: tag)
        if let known = added[image] ?? looks[image] { return known }
        let record = try await poller.look(at: tag, in: location)
        looks[image] = record
        return record
    }

    /// An image that was just pushed needs no scan to be known.
    mutating func add(_ record: TagRecord, to location: RepositoryLocation) {
        added[ImageLocation(repository: location, tag: record.tag)] = record
        guard var inventory = scanned[location] else { return }
        inventory.tags.removeAll { $0.tag == record.tag }
        inventory.tags.append(record)
        scanned[location] = inventory
    }
}
