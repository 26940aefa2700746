import Glibc
package import OCI
package import Registry

/// Looks at repositories and says what they hold.
///
/// A scan costs one request when nothing is new: the list of tags. Only tags that are new, that moved, or that were not
/// looked at for long (`RefreshSchedule`) cost more. What is known is kept in memory and, with a directory, on disk; nothing
/// breaks when it is lost.
package actor RegistryPoller {
    package typealias Opener = @Sendable (RepositoryLocation) throws(RegistryError) -> any ImageRepository

    private let open: Opener
    /// Requests that are under way at once in one scan.
    private let concurrency: Int
    private let files: InventoryDirectory?
    private let now: @Sendable () -> Int64
    private var memory: [Key: Remembered] = [:]
    /// Scans and looks so far; tells which memory was not used for long.
    private var uses = 0
    /// All uses, the oldest first; the last one of each repository counts.
    private var queue: [(used: Int, key: Key)] = []

    struct Key: Hashable, Sendable {
        var location: RepositoryLocation
        var platforms: [Platform]
    }

    private struct Remembered {
        var memory = RepositoryMemory()
        /// The result of the last scan, when nothing changed since.
        var inventory: TagInventory?
        var scanned: Int64 = .min
        /// Counts how often it was said that the repository has changed; a scan that began before that does not know it.
        var changes = 0
        /// As it was when the last scan began.
        var known = 0
        /// The images that the scan looked at.
        var images = ScanScope.Images.none
        var used = 0
        /// Bytes that are counted in `held`.
        var held = 0
    }

    private var held = 0

    /// Bytes of what is kept in memory when it is on disk as well: half a million foreign images.
    private static let resident = 100 << 20

    /// - Parameters:
    ///   - directory: where inventories are kept between starts.
    ///   - now: seconds since 1970.
    package init(
        registry: RegistryAccess, concurrency: Int = 32, directory: String? = nil,
        now: @escaping @Sendable () -> Int64 = RegistryPoller.systemTime
    ) {
        self.init(concurrency: concurrency, directory: directory, now: now) { location throws(RegistryError) in
            try registry.repository(location)
        }
    }

    /// With repositories that are opened in another way.
    package init(
        concurrency: Int = 32, directory: String? = nil,
        now: @escaping @Sendable () -> Int64 = RegistryPoller.systemTime, open: @escaping Opener
    ) {
        self.open = open
        self.concurrency = max(1, concurrency)
        files = directory.map { InventoryDirectory(path: $0) }
        self.now = now
    }

    package static let systemTime: @Sendable () -> Int64 = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec)
    }

    /// Lists a repository's tags and looks at the images behind them.
    ///
    /// A repository that does not exist is empty. An image that cannot be used is a record with a `problem`; a registry
    /// that cannot be asked makes the whole scan fail.
    ///
    /// - Parameters:
    ///   - needsCreationTime: without it only the names of the tags are read.
    ///   - platforms: what every image has to exist for; with none, any image counts.
    ///   - reuse: seconds for which the result of an earlier scan will do.
    package func scan(
        _ location: RepositoryLocation, needsCreationTime: Bool = true, platforms: [Platform] = [], reuse: Int64 = 0
    ) async throws(PollError) -> TagInventory {
        try await scan(
            location, ScanScope(images: needsCreationTime ? .all : .none, platforms: platforms), reuse: reuse)
    }

    /// The same, of a part of the images.
    ///
    /// - Parameter reuse: `.max` for whoever only wants to tell what is known: a scan that is made for it does for nobody who asks for a
    ///   young one.
    package func scan(
        _ location: RepositoryLocation, _ scope: ScanScope, reuse: Int64
    ) async throws(PollError) -> TagInventory {
        let key = Key(location: location, platforms: scope.platforms)
        let time = now()
        await load(key, at: time)
        if let known = memory[key], let inventory = known.inventory, known.images.covers(scope.images),
            known.known == known.changes, time >= known.scanned, time - known.scanned < reuse
        {
            return inventory
        }
        let changes = memory[key]?.changes ?? 0
        let repository: any ImageRepository
        var isChanged = false
        do {
            repository = try open(location)
            let answer = try await repository.tagList(since: memory[key]?.memory.stamp)
            if case .list(let all, let stamp) = answer {
                let names = Set(all).filter { Reference.isValidTag($0) && !TagExclusion.isArtifact($0) }.sorted()
                isChanged = memory[key, default: Remembered()].memory.replaceNames(names)
                memory[key]?.memory.stamp = stamp
                if isChanged { memory[key]?.inventory = nil }
            }
        } catch {
            throw PollError(.list, error, of: location)
        }
        if scope.images != .none {
            let due = memory[key]?.memory.due(at: time, scope) ?? []
            if !due.isEmpty, try await look(at: due, of: key, in: repository, at: time) { isChanged = true }
        }
        if isChanged, let files, let memory = memory[key]?.memory {
            await files.write(memory, for: key, at: time)
        }
        memory[key]?.known = changes
        return finish(key, at: reuse == .max ? 0 : time, scope.images)
    }

    /// Somebody says that a repository has changed: the next scan of it asks the registry, however young the last one is.
    ///
    /// - Parameter tag: one that is looked at again, where it is known; of others than small repositories, tags that stay for long are
    ///   looked at seldom.
    package func expire(_ tag: String?, in location: RepositoryLocation) {
        for key in memory.keys where key.location == location {
            memory[key]?.changes += 1
            if let tag { memory[key]?.memory.expire(tag) }
        }
    }

    private func finish(_ key: Key, at time: Int64, _ images: ScanScope.Images) -> TagInventory {
        var known = memory[key] ?? Remembered()
        let isNamesOnly = images == .none
        if known.inventory == nil {
            held += known.memory.size - known.held
            known.held = known.memory.size
        }
        if known.inventory == nil || (known.images == .none) != isNamesOnly {
            known.inventory = TagInventory(
                repository: key.location,
                tags: known.memory.tags.map { isNamesOnly ? TagRecord(tag: $0.record.tag) : $0.record })
        }
        known.scanned = time
        known.images = images
        uses += 1
        known.used = uses
        memory[key] = known
        makeRoom(for: key, used: uses)
        return known.inventory ?? TagInventory(repository: key.location)
    }

    /// Looks at the image behind one tag: what a policy that goes by names alone has chosen.
    ///
    /// A tag that is not there, and an image that cannot be used, are a record with a `problem`.
    package func look(
        at tag: String, in location: RepositoryLocation, platforms: [Platform] = []
    ) async throws(PollError) -> TagRecord {
        let key = Key(location: location, platforms: platforms)
        let time = now()
        await load(key, at: time)
        let known = memory[key]?.memory
        let index = known?.index(of: tag)
        do {
            let reader = TagReader(repository: try open(location), platforms: platforms)
            let record = try await reader.read(tag, known: index.flatMap { known?.tags[$0] })
            if let index = memory[key]?.memory.index(of: tag) {
                if memory[key]?.memory.tags[index].record != record { memory[key]?.inventory = nil }
                if memory[key]?.memory.update(index, record, at: time) ?? false, let files,
                    let memory = memory[key]?.memory
                {
                    await files.write(memory, for: key, at: time)
                }
            } else if record.digest != nil {
                // A repository of which no list was read: the next scan puts the tag in its place.
                var first = RepositoryMemory(tags: [RepositoryMemory.Known(record: TagRecord(tag: tag))])
                if memory[key] == nil {
                    _ = first.update(0, record, at: time)
                    memory[key] = Remembered(memory: first)
                }
            }
            return record
        } catch {
            throw PollError(.read, error, of: location, tag: tag)
        }
    }

    // MARK: Memory

    private func load(_ key: Key, at time: Int64) async {
        guard memory[key] == nil, let files, let loaded = await files.read(key, at: time), memory[key] == nil else {
            return
        }
        memory[key] = Remembered(memory: loaded)
    }

    /// What was not used for longest goes; it is on disk.
    private func makeRoom(for key: Key, used: Int) {
        guard files != nil else { return }
        queue.append((used, key))
        while held > Self.resident, let (used, oldest) = queue.first, oldest != key {
            queue.removeFirst()
            // One that was used since then stands further behind as well.
            guard let known = memory[oldest], known.used == used else { continue }
            held -= known.held
            memory[oldest] = nil
        }
        if queue.count > 2 * memory.count + 1_024 { queue.removeAll { memory[$0.key]?.used != $0.used } }
    }

    // MARK: Images

    /// Looks at tags, a bounded number at once. The first failure ends the scan; what was read until then is kept.
    ///
    /// - Returns: whether something is other than it was.
    private func look(
        at due: [Int], of key: Key, in repository: any ImageRepository, at time: Int64
    ) async throws(PollError) -> Bool {
        let tags = memory[key]?.memory.tags ?? []
        var reader = TagReader(repository: repository, platforms: key.platforms)
        if due.contains(where: { tags[$0].fingerprint == 0 }) {
            for known in tags where known.fingerprint != 0 { reader.others[known.fingerprint] = known.record }
        }
        let (records, failure) = await read(due.map { tags[$0] }, with: reader, at: key.location)
        var isChanged = false
        for record in records {
            guard let index = memory[key]?.memory.index(of: record.tag) else { continue }
            if memory[key]?.memory.tags[index].record != record { memory[key]?.inventory = nil }
            if memory[key]?.memory.update(index, record, at: time) ?? false { isChanged = true }
        }
        if let failure {
            if isChanged, let files, let memory = memory[key]?.memory { await files.write(memory, for: key, at: time) }
            throw failure
        }
        return isChanged
    }

    private nonisolated func read(
        _ tags: [RepositoryMemory.Known], with reader: TagReader, at location: RepositoryLocation
    ) async -> (records: [TagRecord], failure: PollError?) {
        await withTaskGroup(of: Result<TagRecord, PollError>.self) { group in
            var waiting = tags.makeIterator()
            func startNext() {
                guard let known = waiting.next() else { return }
                group.addTask {
                    do throws(RegistryError) {
                        return .success(try await reader.read(known.record.tag, known: known))
                    } catch {
                        return .failure(PollError(.read, error, of: location, tag: known.record.tag))
                    }
                }
            }
            for _ in 0..<concurrency { startNext() }
            var records: [TagRecord] = []
            records.reserveCapacity(tags.count)
            var failure: PollError?
            while let result = await group.next() {
                switch result {
                case .success(let record):
                    records.append(record)
                    if failure == nil { startNext() }
                case .failure(let error):
                    if failure == nil { failure = error }
                    group.cancelAll()
                }
            }
            return (records, failure)
        }
    }
}
