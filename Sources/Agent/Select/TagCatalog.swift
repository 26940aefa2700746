import Blocking
package import OCI
package import RegistryPoller

/// Where tags and the images behind them are read. `RegistryPoller` is the real one.
package protocol TagSource: Sendable {
    /// - Parameters:
    ///   - scope: of which images more than the names of the tags is read.
    ///   - reuse: seconds for which the result of an earlier scan will do; `.max`: whatever its age, and a scan that is made for it does
    ///     for no cycle.
    func scan(
        _ location: RepositoryLocation, _ scope: ScanScope, reuse: Int64
    ) async throws(PollError) -> TagInventory
    /// The image behind one tag; one that is not there is a record with a `problem`.
    func look(
        at tag: String, in location: RepositoryLocation, platforms: [Platform]
    ) async throws(PollError) -> TagRecord
    /// What was read of a repository will do for nobody any more, and a tag of it may have moved.
    func expire(_ tag: String?, in location: RepositoryLocation) async
}

extension RegistryPoller: TagSource {}

/// What failed is asked again.
private func isSuccess<Value>(_ result: Result<Value, PollError>) -> Bool { (try? result.get()) != nil }

/// What the registries hold, each repository scanned once in a cycle, with the images that the cycle itself has pushed. Whoever asks
/// for what is being asked already waits for that answer.
actor TagCatalog {
    private let source: any TagSource
    /// Seconds for which a scan of another cycle will do.
    private let reuse: Int64
    /// The repositories that something was asked of.
    private(set) var asked: Set<RepositoryLocation> = []
    private var scanned: [Place: Scanned] = [:]
    private var added: [ImageLocation: TagRecord] = [:]
    private let scans = SharedCalls<ScanRequest, TagInventory, PollError>(keeping: isSuccess)
    private let looks = SharedCalls<ImageLocation, TagRecord, PollError>(keeping: isSuccess)

    init(_ source: any TagSource, reuse: Int64 = 0) {
        self.source = source
        self.reuse = reuse
    }

    fileprivate struct Place: Hashable {
        let location: RepositoryLocation
        let platforms: [Platform]
    }

    private struct Scanned {
        let images: ScanScope.Images
        var inventory: TagInventory
    }

    /// What is asked of a repository.
    struct ScanRequest: Hashable, Sendable {
        let location: RepositoryLocation
        /// The images that are looked at, and for which platforms.
        var images: ScanScope.Images
        var platforms: [Platform] = []

        fileprivate var place: Place { Place(location: location, platforms: platforms) }
    }

    /// Repositories that are scanned, and questions that are answered, at the same time. The requests to one registry have a bound of
    /// their own.
    static let width = 32

    /// Scans repositories side by side, each once for all that is asked of it. Those that fail are asked again when they are needed,
    /// where the failure is told.
    func prefetch(_ requests: [ScanRequest]) async {
        var wanted: [Place: ScanScope.Images] = [:]
        var order: [Place] = []
        for request in requests {
            if let known = wanted[request.place] {
                wanted[request.place] = known.union(request.images)
            } else {
                wanted[request.place] = request.images
                order.append(request.place)
            }
        }
        guard order.count > 1 else { return }
        let all = order.compactMap { place in
            wanted[place].map { ScanRequest(location: place.location, images: $0, platforms: place.platforms) }
        }
        _ = await concurrentMap(all, width: Self.width) { request in try? await self.inventory(request) }
    }

    /// - Parameter isFresh: a scan of another cycle will not do, because what is pushed depends on it. Such a repository is the
    ///   agent's own to write, so that tags of it are not looked at whose names say that they stay.
    func inventory(_ request: ScanRequest, isFresh: Bool = false) async throws(PollError) -> TagInventory {
        asked.insert(request.location)
        if let known = scanned[request.place], known.images.covers(request.images) { return known.inventory }
        var request = request
        if let known = scanned[request.place] { request.images = known.images.union(request.images) }
        let (source, reuse) = (source, isFresh ? 0 : reuse)
        let scope = ScanScope(images: request.images, platforms: request.platforms, isThorough: !isFresh)
        let found = try await scans.value(of: request) { [request] () async throws(PollError) in
            try await source.scan(request.location, scope, reuse: reuse)
        }
        let inventory = merged(found, of: request.place)
        if scanned[request.place]?.images.covers(request.images) != true {
            scanned[request.place] = Scanned(images: request.images, inventory: inventory)
        }
        return inventory
    }

    /// The tags alone: one request, however many there are.
    func names(of location: RepositoryLocation) async throws(PollError) -> TagInventory {
        try await inventory(ScanRequest(location: location, images: .none))
    }

    /// The image behind one tag.
    func look(at tag: String, in location: RepositoryLocation) async throws(PollError) -> TagRecord {
        asked.insert(location)
        let image = ImageLocation(repository: location, tag: tag)
        if let known = added[image] { return known }
        let source = source
        return try await looks.value(of: image) { () async throws(PollError) in
            try await source.look(at: tag, in: location, platforms: [])
        }
    }

    /// Looks at a tag whose image a scan did not find, whatever was known of it.
    func lookAgain(at tag: String, in location: RepositoryLocation) async throws(PollError) {
        let record = try await source.look(at: tag, in: location, platforms: [])
        if record.digest != nil { add(record, to: location) }
    }

    /// An image that was just pushed needs no scan to be known.
    func add(_ record: TagRecord, to location: RepositoryLocation) {
        added[ImageLocation(repository: location, tag: record.tag)] = record
        for place in scanned.keys where place.location == location {
            if let known = scanned[place] { scanned[place]?.inventory = merged(known.inventory, of: place) }
        }
    }

    /// A scan that was under way while an image was pushed may not have seen it.
    private func merged(_ inventory: TagInventory, of place: Place) -> TagInventory {
        guard place.platforms.isEmpty else { return inventory }
        let own = added.filter { $0.key.repository == place.location }.map(\.value)
        guard !own.isEmpty else { return inventory }
        var inventory = inventory
        let tags = Set(own.map(\.tag))
        inventory.tags.removeAll { tags.contains($0.tag) }
        inventory.tags += own.sorted { $0.tag < $1.tag }
        return inventory
    }
}
