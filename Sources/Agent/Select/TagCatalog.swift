package import OCI
package import RegistryPoller

/// Where tags and the images behind them are read. `RegistryPoller` is the real one.
package protocol TagSource: Sendable {
    /// - Parameters:
    ///   - needsCreationTime: without it only the names of the tags are read.
    ///   - platforms: what every image has to exist for; with none, any image counts.
    ///   - reuse: seconds for which the result of an earlier scan will do.
    func scan(
        _ location: RepositoryLocation, needsCreationTime: Bool, platforms: [Platform], reuse: Int64
    ) async throws(PollError) -> TagInventory
    /// The image behind one tag; one that is not there is a record with a `problem`.
    func look(
        at tag: String, in location: RepositoryLocation, platforms: [Platform]
    ) async throws(PollError) -> TagRecord
}

extension RegistryPoller: TagSource {}

/// What the registries hold, each repository scanned once in a cycle, with the images that the cycle itself has pushed.
actor TagCatalog {
    private let source: any TagSource
    /// Seconds for which a scan of another cycle will do.
    private let reuse: Int64
    private var scanned: [ScanRequest: TagInventory] = [:]
    private var looks: [ImageLocation: TagRecord] = [:]
    private var added: [ImageLocation: TagRecord] = [:]

    init(_ source: any TagSource, reuse: Int64 = 0) {
        self.source = source
        self.reuse = reuse
    }

    /// What is asked of a repository.
    struct ScanRequest: Hashable, Sendable {
        let location: RepositoryLocation
        /// Whether the images are looked at, and for which platforms; otherwise the names will do.
        let isComplete: Bool
        var platforms: [Platform] = []
    }

    /// Repositories that are scanned at the same time; the requests to one registry have a bound of their own.
    private static let concurrency = 16

    /// Scans repositories side by side. Those that fail are asked again when they are needed, where the failure is told.
    func prefetch(_ requests: Set<ScanRequest>) async {
        let wanted = requests.filter { request in
            scanned[request] == nil
                && (request.isComplete
                    || !requests.contains(ScanRequest(location: request.location, isComplete: true))
                        && scanned[ScanRequest(location: request.location, isComplete: true)] == nil)
        }
        guard wanted.count > 1 else { return }
        let (source, reuse) = (source, reuse)
        let found = await withTaskGroup(of: (ScanRequest, TagInventory?).self) { group in
            var waiting = wanted.makeIterator()
            func startNext() {
                guard let request = waiting.next() else { return }
                group.addTask {
                    let inventory = try? await source.scan(
                        request.location, needsCreationTime: request.isComplete, platforms: request.platforms,
                        reuse: reuse)
                    return (request, inventory)
                }
            }
            for _ in 0..<Self.concurrency { startNext() }
            var found: [(ScanRequest, TagInventory)] = []
            while let (request, inventory) = await group.next() {
                if let inventory { found.append((request, inventory)) }
                startNext()
            }
            return found
        }
        for (request, inventory) in found { scanned[request] = merged(inventory, of: request) }
    }

    /// - Parameters:
    ///   - platforms: what every image has to exist for.
    ///   - isFresh: a scan of another cycle will not do, because what is pushed depends on it.
    func inventory(
        of location: RepositoryLocation, platforms: [Platform] = [], isFresh: Bool = false
    ) async throws(PollError) -> TagInventory {
        try await inventory(
            ScanRequest(location: location, isComplete: true, platforms: platforms), reuse: isFresh ? 0 : reuse)
    }

    /// The tags alone: one request, however many there are.
    func names(of location: RepositoryLocation) async throws(PollError) -> TagInventory {
        if let known = scanned[ScanRequest(location: location, isComplete: true)] { return known }
        return try await inventory(ScanRequest(location: location, isComplete: false), reuse: reuse)
    }

    private func inventory(_ request: ScanRequest, reuse: Int64) async throws(PollError) -> TagInventory {
        if let known = scanned[request] { return known }
        let inventory = merged(
            try await source.scan(
                request.location, needsCreationTime: request.isComplete, platforms: request.platforms, reuse: reuse),
            of: request)
        scanned[request] = inventory
        return inventory
    }

    /// The image behind one tag.
    func look(at tag: String, in location: RepositoryLocation) async throws(PollError) -> TagRecord {
        let image = ImageLocation(repository: location, tag: tag)
        if let known = added[image] ?? looks[image] { return known }
        let record = try await source.look(at: tag, in: location, platforms: [])
        looks[image] = record
        return record
    }

    /// Looks at a tag whose image a scan did not find, whatever was known of it.
    func lookAgain(at tag: String, in location: RepositoryLocation) async throws(PollError) {
        let record = try await source.look(at: tag, in: location, platforms: [])
        if record.digest != nil { add(record, to: location) }
    }

    /// An image that was just pushed needs no scan to be known.
    func add(_ record: TagRecord, to location: RepositoryLocation) {
        added[ImageLocation(repository: location, tag: record.tag)] = record
        for request in scanned.keys where request.location == location && request.platforms.isEmpty {
            scanned[request] = scanned[request].map { merged($0, of: request) }
        }
    }

    /// A scan that was under way while an image was pushed may not have seen it.
    private func merged(_ inventory: TagInventory, of request: ScanRequest) -> TagInventory {
        guard request.platforms.isEmpty else { return inventory }
        let own = added.filter { $0.key.repository == request.location }.map(\.value)
        guard !own.isEmpty else { return inventory }
        var inventory = inventory
        let tags = Set(own.map(\.tag))
        inventory.tags.removeAll { tags.contains($0.tag) }
        inventory.tags += own.sorted { $0.tag < $1.tag }
        return inventory
    }
}
