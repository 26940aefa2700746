import ContentStore
import OCI
import Registry
import Synchronization

/// A repository in memory that counts what it is asked, and fails where it is told to.
final class FakeRepository: ImageRepository {
    struct State {
        var tags: [String: Digest] = [:]
        var manifests: [Digest: RawManifest] = [:]
        var blobs: [Digest: [UInt8]] = [:]
        var requests: [String] = []
        var failures: [String: RegistryError] = [:]
        var running = 0
        var mostRunning = 0
        var hasEntityTags = false
    }

    let state = Mutex(State())
    let location = RepositoryLocation.registry(host: "registry.example.com", path: "acme/app")

    var requests: [String] {
        state.withLock { state in
            defer { state.requests = [] }
            return state.requests.sorted()
        }
    }

    func fail(_ request: String, _ code: RegistryError.Code?, isTransient: Bool = false, retryAfter: Int? = nil) {
        state.withLock {
            $0.failures[request] = code.map {
                RegistryError($0, "told to", retryAfter: retryAfter, isTransient: isTransient)
            }
        }
    }

    // MARK: Content

    @discardableResult
    func add(
        _ tag: String?, created: String? = "2020-01-01T00:00:00Z", annotations: [String: String]? = nil,
        platform: Platform = Platform(os: "linux", architecture: "amd64"), configType: MediaType = .ociConfig
    ) throws -> Descriptor {
        let config = try CanonicalJSON.encode(ImageConfig(platform: platform, created: created))
        let configDescriptor = Descriptor(mediaType: configType, of: config)
        let manifest = try CanonicalJSON.encode(
            Manifest(config: configDescriptor, layers: [], annotations: annotations))
        var descriptor = add(manifest, .ociManifest, tag: tag)
        descriptor.platform = platform
        state.withLock { $0.blobs[configDescriptor.digest] = config }
        return descriptor
    }

    @discardableResult
    func add(_ bytes: [UInt8], _ type: MediaType, tag: String?) -> Descriptor {
        let descriptor = Descriptor(mediaType: type, of: bytes)
        state.withLock { state in
            state.manifests[descriptor.digest] = RawManifest(bytes: bytes, mediaType: type, digest: descriptor.digest)
            if let tag { state.tags[tag] = descriptor.digest }
        }
        return descriptor
    }

    // MARK: What the poller asks

    private func asked(_ request: String) async throws(RegistryError) {
        let failure = state.withLock { state in
            state.requests.append(request)
            state.running += 1
            state.mostRunning = max(state.mostRunning, state.running)
            return state.failures[request]
        }
        await Task.yield()
        state.withLock { $0.running -= 1 }
        if let failure { throw failure }
    }

    func tags() async throws(RegistryError) -> [String] {
        try await asked("tags")
        return state.withLock { Array($0.tags.keys) }
    }

    func tagList(since stamp: TagListStamp?) async throws(RegistryError) -> TagListAnswer {
        let tags = try await tags().sorted()
        guard state.withLock(\.hasEntityTags) else { return .list(tags, nil) }
        let now = TagListStamp(entityTag: "\"e\"", hash: .sha256(of: Array(tags.joined(separator: " ").utf8)))
        return now == stamp ? .unchanged : .list(tags, now)
    }

    func manifest(_ selector: ManifestSelector) async throws(RegistryError) -> RawManifest? {
        switch selector {
        case .tag(let tag):
            try await asked("manifest \(tag)")
            return state.withLock { state in state.tags[tag].flatMap { state.manifests[$0] } }
        case .digest(let digest):
            try await asked("manifest by digest")
            return state.withLock { $0.manifests[digest] }
        }
    }

    func digest(ofTag tag: String) async throws(RegistryError) -> Digest? {
        try await asked("digest \(tag)")
        return state.withLock { $0.tags[tag] }
    }

    func blob(_ descriptor: Descriptor, limit: Int) async throws(RegistryError) -> [UInt8] {
        try await asked("blob")
        guard let bytes = state.withLock({ $0.blobs[descriptor.digest] }) else {
            throw RegistryError(.notFound, "the blob is not there")
        }
        return bytes
    }

    // MARK: What it does not

    func defaultManifest() async throws(RegistryError) -> RawManifest? { nil }
    func hasBlob(_ digest: Digest) async throws(RegistryError) -> Bool { false }
    func fetchBlob(
        _ descriptor: Descriptor, into store: ContentStore, progress: (@Sendable (Int64) -> Void)?
    ) async throws(RegistryError) { throw RegistryError(.unsupported, "not here") }
    func pushBlob(
        _ descriptor: Descriptor, from store: ContentStore, mountFrom sources: [RepositoryLocation],
        progress: (@Sendable (Int64) -> Void)?
    ) async throws(RegistryError) -> UploadOutcome { throw RegistryError(.unsupported, "not here") }
    func pushManifest(_ bytes: [UInt8], mediaType: MediaType, tag: String?) async throws(RegistryError) -> Digest {
        throw RegistryError(.unsupported, "not here")
    }
}
