import ContentStore
import OCI

/// A repository in front of another one: what it does not do itself goes there.
protocol ForwardingRepository: ImageRepository {
    var origin: any ImageRepository { get }
}

extension ForwardingRepository {
    var location: RepositoryLocation { origin.location }

    func defaultManifest() async throws(RegistryError) -> RawManifest? { try await origin.defaultManifest() }

    func digest(ofTag tag: String) async throws(RegistryError) -> Digest? { try await origin.digest(ofTag: tag) }

    func blob(_ descriptor: Descriptor, limit: Int) async throws(RegistryError) -> [UInt8] {
        try await origin.blob(descriptor, limit: limit)
    }

    func fetchBlob(
        _ descriptor: Descriptor, into store: ContentStore, progress: (@Sendable (Int64) -> Void)?
    ) async throws(RegistryError) {
        try await origin.fetchBlob(descriptor, into: store, progress: progress)
    }

    func hasBlob(_ digest: Digest) async throws(RegistryError) -> Bool { try await origin.hasBlob(digest) }

    func pushBlob(
        _ descriptor: Descriptor, from store: ContentStore, mountFrom sources: [RepositoryLocation],
        progress: (@Sendable (Int64) -> Void)?
    ) async throws(RegistryError) -> UploadOutcome {
        try await origin.pushBlob(descriptor, from: store, mountFrom: sources, progress: progress)
    }

    func pushManifest(
        _ bytes: [UInt8], mediaType: MediaType, tag: String?
    ) async throws(RegistryError) -> Digest {
        try await origin.pushManifest(bytes, mediaType: mediaType, tag: tag)
    }

    func tags() async throws(RegistryError) -> [String] { try await origin.tags() }

    func tagList() async throws(RegistryError) -> [String]? { try await origin.tagList() }

    func referrers(of digest: Digest, artifactType: String?) async throws(RegistryError) -> [Descriptor] {
        try await origin.referrers(of: digest, artifactType: artifactType)
    }
}
