/// What points at content: its type, identity and size.
///
/// https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md
package struct Descriptor: Hashable, Sendable, Codable {
    package var mediaType: MediaType
    package var digest: Digest
    /// In bytes. Comes from outside as it is: may be negative or wrong until the content was verified.
    package var size: Int64
    package var urls: [String]?
    package var annotations: [String: String]?
    package var platform: Platform?
    package var artifactType: String?
    /// The content itself in base64, where somebody embedded it. Kept, not used.
    package var data: String?

    package init(
        mediaType: MediaType, digest: Digest, size: Int64, urls: [String]? = nil,
        annotations: [String: String]? = nil, platform: Platform? = nil, artifactType: String? = nil
    ) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
        self.urls = urls
        self.annotations = annotations
        self.platform = platform
        self.artifactType = artifactType
    }

    /// The descriptor of bytes at hand.
    package init(mediaType: MediaType, of bytes: [UInt8]) {
        self.init(mediaType: mediaType, digest: .sha256(of: bytes), size: Int64(bytes.count))
    }
}
