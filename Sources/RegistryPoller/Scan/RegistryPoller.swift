package import OCI
package import Registry

/// Looks at repositories and says what they hold.
///
/// Facts about images are kept by digest, so that a scan reads only what is new; nothing is kept on disk, and nothing
/// breaks when it is lost.
package actor RegistryPoller {
    package typealias Opener = @Sendable (RepositoryLocation) throws(RegistryError) -> any ImageRepository

    private let open: Opener
    /// Requests that are under way at once in one scan.
    private let concurrency: Int
    /// What is remembered between scans: the digest of each tag, and the facts behind each digest.
    private var memory: [Key: Memory] = [:]

    private struct Key: Hashable {
        var location: RepositoryLocation
        var platforms: [Platform]
    }

    private struct Memory: Sendable {
        var digests: [String: Digest] = [:]
        var facts: [Digest: ImageFacts] = [:]
    }

    package init(registry: RegistryAccess, concurrency: Int = 8) {
        self.init(concurrency: concurrency) { location throws(RegistryError) in try registry.repository(location) }
    }

    /// With repositories that are opened in another way.
    package init(concurrency: Int = 8, open: @escaping Opener) {
        self.open = open
        self.concurrency = max(1, concurrency)
    }

    /// Lists a repository's tags and looks at the images behind them.
    ///
    /// A repository that does not exist is empty. An image that cannot be used is a record with a `problem`; a registry
    /// that cannot be asked makes the whole scan fail.
    ///
    /// - Parameters:
    ///   - needsCreationTime: without it only the names of the tags are read.
    ///   - platforms: what every image has to exist for; with none, any image counts.
    package func scan(
        _ location: RepositoryLocation, needsCreationTime: Bool = true, platforms: [Platform] = []
    ) async throws(PollError) -> TagInventory {
        let repository: any ImageRepository
        let names: [String]
        do {
            repository = try open(location)
            names = Set(try await repository.tags())
                .filter { Reference.isValidTag($0) && !TagExclusion.isArtifact($0) }.sorted()
        } catch {
            throw PollError(.list, error, of: location)
        }
        guard needsCreationTime else {
            return TagInventory(repository: location, tags: names.map { TagRecord(tag: $0) })
        }
        let key = Key(location: location, platforms: platforms)
        let known = memory[key] ?? Memory()
        let reader = TagReader(repository: repository, platforms: platforms, digests: known.digests, facts: known.facts)
        let records = try await read(names, with: reader, at: location)
        // What no tag points at any more is forgotten.
        var next = Memory()
        for (record, facts) in records {
            guard let digest = record.digest else { continue }
            next.digests[record.tag] = digest
            next.facts[digest] = facts
        }
        memory[key] = next
        return TagInventory(repository: location, tags: records.map(\.record).sorted { $0.tag < $1.tag })
    }

    /// Looks at the image behind one tag: what a policy that goes by names alone has chosen.
    ///
    /// A tag that is not there, and an image that cannot be used, are a record with a `problem`.
    package func look(
        at tag: String, in location: RepositoryLocation, platforms: [Platform] = []
    ) async throws(PollError) -> TagRecord {
        let key = Key(location: location, platforms: platforms)
        let known = memory[key] ?? Memory()
        do {
            let reader = TagReader(
                repository: try open(location), platforms: platforms, digests: known.digests, facts: known.facts)
            let (record, facts) = try await reader.read(tag)
            if let digest = record.digest {
                memory[key, default: Memory()].digests[tag] = digest
                memory[key, default: Memory()].facts[digest] = facts
            }
            return record
        } catch {
            throw PollError(.read, error, of: location, tag: tag)
        }
    }

    private typealias Reading = (record: TagRecord, facts: ImageFacts)

    /// A bounded number of tags at once; the first failure ends the scan.
    private nonisolated func read(
        _ names: [String], with reader: TagReader, at location: RepositoryLocation
    ) async throws(PollError) -> [Reading] {
        let result = await withTaskGroup(of: Result<Reading, PollError>.self) { group in
            var waiting = names.makeIterator()
            func startNext() {
                guard let name = waiting.next() else { return }
                group.addTask {
                    do throws(RegistryError) {
                        return .success(try await reader.read(name))
                    } catch {
                        return .failure(PollError(.read, error, of: location, tag: name))
                    }
                }
            }
            for _ in 0..<concurrency { startNext() }
            var readings: [Reading] = []
            readings.reserveCapacity(names.count)
            while let result = await group.next() {
                switch result {
                case .success(let reading):
                    readings.append(reading)
                    startNext()
                case .failure(let error):
                    group.cancelAll()
                    return Result<[Reading], PollError>.failure(error)
                }
            }
            return .success(readings)
        }
        return try result.get()
    }
}

/// Reads one tag, with what is known from before.
private struct TagReader: Sendable {
    let repository: any ImageRepository
    let platforms: [Platform]
    let digests: [String: Digest]
    let facts: [Digest: ImageFacts]

    func read(_ tag: String) async throws(RegistryError) -> (record: TagRecord, facts: ImageFacts) {
        // A tag that was seen before most probably points where it did: asking for the digest is cheaper than reading.
        if let before = digests[tag], let facts = facts[before], try await repository.digest(ofTag: tag) == before {
            return (record(tag, before, facts), facts)
        }
        let top: RawManifest?
        do {
            top = try await repository.manifest(.tag(tag))
        } catch {
            guard error.isAboutTheImage else { throw error }
            let facts = ImageFacts(problem: error.summary + (error.cause.map { ": \($0)" } ?? ""))
            return (record(tag, nil, facts), facts)
        }
        guard let top else {
            let facts = ImageFacts(problem: "the registry lists the tag and has no manifest for it")
            return (record(tag, nil, facts), facts)
        }
        var facts = facts[top.digest]
        if facts == nil { facts = try await ImageFacts.read(top, wanted: platforms, in: repository) }
        let known = facts ?? ImageFacts()
        return (record(tag, top.digest, known), known)
    }

    private func record(_ tag: String, _ digest: Digest?, _ facts: ImageFacts) -> TagRecord {
        TagRecord(
            tag: tag, digest: digest, created: facts.created, annotations: facts.annotations,
            platforms: facts.platforms, problem: facts.problem)
    }
}
