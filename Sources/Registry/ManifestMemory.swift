import ContentStore
import OCI
import Synchronization

/// Manifests that were read while this process runs, by repository and digest, and what tags led to when they were last looked at.
/// The content of a digest never changes, so a tag that still leads to the same one is not read again.
///
/// One repository's are not another's: who may read here need not be who may read there.
final class ManifestMemory: Sendable {
    private struct State {
        var manifests: [ImageLocation: RawManifest] = [:]
        var tags: [ImageLocation: Digest] = [:]
        var bytes = 0
    }

    private let state = Mutex(State())
    /// Bytes beyond which all is forgotten, and what is still asked for is read once more.
    private let limit: Int
    /// What an entry takes beside its content: names, and places in tables.
    private static let overhead = 1_024

    init(limit: Int = 4 << 20) { self.limit = limit }

    func manifest(_ digest: Digest, in location: RepositoryLocation) -> RawManifest? {
        state.withLock { $0.manifests[ImageLocation(repository: location, digest: digest)] }
    }

    /// The manifest that a tag led to.
    func manifest(of tag: String, in location: RepositoryLocation) -> RawManifest? {
        state.withLock { state in
            state.tags[ImageLocation(repository: location, tag: tag)].flatMap {
                state.manifests[ImageLocation(repository: location, digest: $0)]
            }
        }
    }

    func keep(_ manifest: RawManifest, as tag: String?, in location: RepositoryLocation) {
        state.withLock { state in
            let size = manifest.bytes.count + Self.overhead
            if state.bytes + size > limit { state = State() }
            let place = ImageLocation(repository: location, digest: manifest.digest)
            if state.manifests.updateValue(manifest, forKey: place) == nil { state.bytes += size }
            if let tag { state.tags[ImageLocation(repository: location, tag: tag)] = manifest.digest }
        }
    }
}

/// A repository whose manifests are not read twice. What a tag leads to is asked each time, by `HEAD`, which registries do not count
/// as a pull.
struct RememberingRepository: ForwardingRepository {
    let origin: any ImageRepository
    let memory: ManifestMemory

    func manifest(_ selector: ManifestSelector) async throws(RegistryError) -> RawManifest? {
        switch selector {
        case .digest(let digest):
            if let known = memory.manifest(digest, in: location) { return known }
        case .tag(let tag):
            if let known = memory.manifest(of: tag, in: location),
                try await origin.digest(ofTag: tag) == known.digest
            {
                return known
            }
        }
        let read = try await origin.manifest(selector)
        if let read {
            var name: String?
            if case .tag(let tag) = selector { name = tag }
            memory.keep(read, as: name, in: location)
        }
        return read
    }
}
