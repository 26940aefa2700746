/// The type of a document or blob, as registries and layouts write it.
///
/// Constants: https://github.com/opencontainers/image-spec/blob/v1.1.1/media-types.md and
/// https://distribution.github.io/distribution/spec/manifest-v2-2/#media-types.
package struct MediaType: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }

    package init(_ text: String) { rawValue = text }

    /// The value of a `Content-Type` header: parameters are dropped.
    package init(header: String) {
        let type = header.prefix { $0 != ";" }
        rawValue = String(type.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()).lowercased()
    }

    package var description: String { rawValue }

    package init(from decoder: any Decoder) throws {
        rawValue = try decoder.singleValueContainer().decode(String.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }
}

extension MediaType {
    package static let ociManifest = MediaType("application/vnd.oci.image.manifest.v1+json")
    package static let ociIndex = MediaType("application/vnd.oci.image.index.v1+json")
    package static let ociConfig = MediaType("application/vnd.oci.image.config.v1+json")
    package static let ociLayer = MediaType("application/vnd.oci.image.layer.v1.tar")
    package static let ociLayerGzip = MediaType("application/vnd.oci.image.layer.v1.tar+gzip")
    package static let ociLayerZstd = MediaType("application/vnd.oci.image.layer.v1.tar+zstd")
    package static let ociEmpty = MediaType("application/vnd.oci.empty.v1+json")

    package static let dockerManifest = MediaType("application/vnd.docker.distribution.manifest.v2+json")
    package static let dockerManifestList = MediaType("application/vnd.docker.distribution.manifest.list.v2+json")
    package static let dockerConfig = MediaType("application/vnd.docker.container.image.v1+json")
    package static let dockerLayer = MediaType("application/vnd.docker.image.rootfs.diff.tar")
    package static let dockerLayerGzip = MediaType("application/vnd.docker.image.rootfs.diff.tar.gzip")
    /// What containerd writes for a zstd layer of a Docker image.
    package static let dockerLayerZstd = MediaType("application/vnd.docker.image.rootfs.diff.tar.zstd")
    package static let dockerForeignLayer = MediaType("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")

    /// Every kind of manifest that is understood, best first, for `Accept` headers.
    package static let manifests: [MediaType] = [.ociManifest, .ociIndex, .dockerManifest, .dockerManifestList]

    package enum Compression: Sendable, Hashable {
        case none, gzip, zstd
    }

    package var isIndex: Bool { self == .ociIndex || self == .dockerManifestList }
    package var isManifest: Bool { self == .ociManifest || self == .dockerManifest }
    package var isConfig: Bool { self == .ociConfig || self == .dockerConfig }
    package var isDocker: Bool { rawValue.hasPrefix("application/vnd.docker.") }

    /// A tar layer of an image, whatever its compression.
    package var isLayer: Bool {
        rawValue.hasPrefix("application/vnd.oci.image.layer.") || rawValue.hasPrefix(Self.dockerLayer.rawValue)
            || self == .dockerForeignLayer
    }

    /// A layer that registries need not hold; its bytes come from the descriptor's `urls`.
    package var isForeignLayer: Bool {
        rawValue.hasPrefix("application/vnd.oci.image.layer.nondistributable.") || self == .dockerForeignLayer
    }

    /// How a layer is compressed, by its type's suffix. The bytes decide; this is what they should be.
    package var compression: Compression {
        if rawValue.hasSuffix("+gzip") || rawValue.hasSuffix(".gzip") { return .gzip }
        if rawValue.hasSuffix("+zstd") || rawValue.hasSuffix(".zstd") { return .zstd }
        return .none
    }
}
