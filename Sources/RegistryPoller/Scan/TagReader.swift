import OCI
import Registry

/// Reads one tag, with what is known from before.
struct TagReader: Sendable {
    let repository: any ImageRepository
    let platforms: [Platform]
    /// Images that were read under other tags.
    var others: [UInt64: TagRecord] = [:]

    func read(_ tag: String, known: RepositoryMemory.Known?) async throws(RegistryError) -> TagRecord {
        // A tag that was seen before most probably points where it did: asking for the digest is cheaper than reading.
        if let known, known.fingerprint != 0, let digest = try await repository.digest(ofTag: tag),
            RepositoryMemory.fingerprint(digest) == known.fingerprint
        {
            var record = known.record
            record.digest = digest
            return record
        }
        let top: RawManifest?
        do {
            top = try await repository.manifest(.tag(tag))
        } catch {
            guard error.isAboutTheImage else { throw error }
            return TagRecord(tag: tag, problem: error.summary + (error.cause.map { ": \($0)" } ?? ""))
        }
        guard let top else {
            return TagRecord(tag: tag, problem: "the registry lists the tag and has no manifest for it")
        }
        if var record = others[RepositoryMemory.fingerprint(top.digest)] {
            record.tag = tag
            record.digest = top.digest
            return record
        }
        let facts = try await ImageFacts.read(top, wanted: platforms, in: repository)
        return TagRecord(
            tag: tag, digest: top.digest, created: facts.created, annotations: facts.annotations,
            platforms: facts.platforms, problem: facts.problem)
    }
}
