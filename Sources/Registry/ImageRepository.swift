package import ContentStore
package import OCI

package enum ManifestSelector: Sendable, Hashable, CustomStringConvertible {
    case tag(String)
    case digest(Digest)

    package var description: String {
        switch self {
        case .tag(let tag): tag
        case .digest(let digest): digest.description
        }
    }
}

/// A manifest or an index as its bytes are: they are what the digest is of.
package struct RawManifest: Sendable, Hashable {
    package let bytes: [UInt8]
    package let mediaType: MediaType
    package let digest: Digest

    package init(bytes: [UInt8], mediaType: MediaType, digest: Digest) {
        self.bytes = bytes
        self.mediaType = mediaType
        self.digest = digest
    }

    package var descriptor: Descriptor {
        Descriptor(mediaType: mediaType, digest: digest, size: Int64(bytes.count))
    }
}

/// How a blob got to where it is now.
package enum UploadOutcome: Sendable, Hashable {
    /// The repository had the blob.
    case existed
    /// The registry (or file system) had it in another repository.
    case mounted
    case uploaded
}

/// A place that holds images under one name: a registry's repository or a layout on disk.
///
/// Every byte that comes out is verified against its digest, and every manifest that goes in is refused while content
/// that it names is missing. Progress closures get the number of the blob's bytes that were moved so far, from any
/// thread; the number starts again when a transfer does.
package protocol ImageRepository: Sendable {
    var location: RepositoryLocation { get }

    /// The manifest or index; `nil` when there is none of that name.
    func manifest(_ selector: ManifestSelector) async throws(RegistryError) -> RawManifest?

    /// What is meant when neither a tag nor a digest is given: `latest` in a registry, the only image in a layout.
    func defaultManifest() async throws(RegistryError) -> RawManifest?

    /// What a tag points at, without reading it; `nil` when there is no such tag.
    func digest(ofTag tag: String) async throws(RegistryError) -> Digest?

    /// A small blob in memory.
    ///
    /// - Parameter limit: bytes beyond which it is refused (`tooLarge`).
    func blob(_ descriptor: Descriptor, limit: Int) async throws(RegistryError) -> [UInt8]

    /// Streams a blob into a store; nothing happens when it is there.
    func fetchBlob(
        _ descriptor: Descriptor, into store: ContentStore, progress: (@Sendable (Int64) -> Void)?
    ) async throws(RegistryError)

    func hasBlob(_ digest: Digest) async throws(RegistryError) -> Bool

    /// Brings a blob into the repository: not at all when it is there, else without moving bytes from one of `sources`,
    /// else from the store. `contentMissing` when the store would be needed and does not have it.
    func pushBlob(
        _ descriptor: Descriptor, from store: ContentStore, mountFrom sources: [RepositoryLocation],
        progress: (@Sendable (Int64) -> Void)?
    ) async throws(RegistryError) -> UploadOutcome

    /// Begins to send a blob that is made meanwhile; `nil` where that is no gain, or not possible.
    func stream(_ blob: any GrowingBlob) -> StreamedUpload?

    /// Adds a manifest or index and points the tag at it; without a tag it is there by its digest.
    func pushManifest(
        _ bytes: [UInt8], mediaType: MediaType, tag: String?
    ) async throws(RegistryError) -> Digest

    /// Points a tag at an image whose parts are there, unless another image is found to keep the tag. The same image is
    /// given its tag as often as one likes.
    ///
    /// - Parameter isKept: asked about the image that has the tag now; `true` leaves it there.
    func claim(
        _ tag: String, for image: RawManifest, unless isKept: @escaping @Sendable (TagHolder) -> Bool
    ) async throws(RegistryError) -> TagClaim

    /// All tags; none when the repository does not exist.
    func tags() async throws(RegistryError) -> [String]

    /// All tags; `nil` when the repository does not exist.
    func tagList() async throws(RegistryError) -> [String]?

    /// All tags, unless they are what they were; none when the repository does not exist.
    func tagList(since stamp: TagListStamp?) async throws(RegistryError) -> TagListAnswer

    /// Takes a tag away from what it points at. `unsupported` where only manifests can be deleted, as in distribution
    /// before version 3; `notFound` when there is no such tag.
    func deleteTag(_ tag: String) async throws(RegistryError)

    /// Removes a manifest or index with all its tags. `notFound` when it is not there. Blobs stay until the registry
    /// collects its garbage.
    func deleteManifest(_ digest: Digest) async throws(RegistryError)

    /// The manifests whose subject a manifest is: signatures, bills of materials, provenance.
    ///
    /// - Parameter artifactType: only those of this type.
    func referrers(of digest: Digest, artifactType: String?) async throws(RegistryError) -> [Descriptor]
}

/// What a repository that is only read and written does about the rest.
extension ImageRepository {
    package func tagList() async throws(RegistryError) -> [String]? { try await tags() }

    package func tagList(since stamp: TagListStamp?) async throws(RegistryError) -> TagListAnswer {
        .list(try await tags(), nil)
    }

    package func stream(_ blob: any GrowingBlob) -> StreamedUpload? { nil }

    package func claim(
        _ tag: String, for image: RawManifest, unless isKept: @escaping @Sendable (TagHolder) -> Bool
    ) async throws(RegistryError) -> TagClaim {
        if let holder = try await holder(ofTag: tag), holder.digest != image.digest, isKept(holder) {
            return .kept(holder, isLost: false)
        }
        _ = try await pushManifest(image.bytes, mediaType: image.mediaType, tag: tag)
        return .given
    }

    package func deleteTag(_ tag: String) async throws(RegistryError) { throw cannotDelete }

    package func deleteManifest(_ digest: Digest) async throws(RegistryError) { throw cannotDelete }

    package func referrers(
        of digest: Digest, artifactType: String?
    ) async throws(RegistryError) -> [Descriptor] { [] }

    private var cannotDelete: RegistryError {
        RegistryError(.unsupported, "nothing can be deleted here", place: "\(location)")
    }
}

/// Bytes that documents may have. Registries accept manifests of 4 MiB.
enum Limits {
    static let manifest = 4 << 20
    static let config = 8 << 20
    static let tagPage = 16 << 20
    static let tags = 4_000_000
    static let entityTag = 256
    /// Of a `WWW-Authenticate` header.
    static let challenge = 16 << 10
    static let referrers = 100_000
    /// Pages of one list, and pages in a row that bring nothing new.
    static let pages = 50_000
    static let emptyPages = 20
    static let layoutIndex = 64 << 20
}

/// What a list of tags was when it was read, so that a registry can be asked whether it still is.
package struct TagListStamp: Sendable, Hashable {
    /// As the registry gave it.
    package var entityTag: String?
    /// Of the list's bytes.
    package var hash: Digest

    package init(entityTag: String? = nil, hash: Digest) {
        self.entityTag = entityTag
        self.hash = hash
    }
}

package enum TagListAnswer: Sendable, Hashable {
    /// The tags are those of the stamp.
    case unchanged
    /// The tags, and what to ask with the next time; `nil` for a list that has to be read whole.
    case list([String], TagListStamp?)
}
