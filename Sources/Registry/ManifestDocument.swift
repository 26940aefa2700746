import OCI

/// What can be said about a manifest's bytes before anybody believes them.
enum ManifestDocument {
    /// The fields by which the kinds of documents are told apart.
    private struct Probe: Decodable {
        struct Present: Decodable {
            init(from decoder: any Decoder) throws {}
        }

        var schemaVersion: Int?
        var mediaType: MediaType?
        var config: Present?
        var layers: Present?
        var manifests: Present?
    }

    /// Verifies the bytes and settles their type. The document's own word and the header's must agree: a document that
    /// is a manifest for one reader and an index for another is refused
    /// (https://github.com/opencontainers/image-spec/security/advisories/GHSA-77vh-xpmg-72qh).
    static func check(
        _ bytes: [UInt8], declared: MediaType?, expected: Digest?, place: String
    ) throws(RegistryError) -> RawManifest {
        let digest: Digest
        if let expected {
            var hasher = DigestHasher(expected.algorithm)
            hasher.update(bytes)
            digest = hasher.finalize()
            guard digest == expected else {
                throw RegistryError(
                    .digestMismatch, "the manifest has the wrong content", place: place,
                    cause: "\(digest) where \(expected) was promised")
            }
        } else {
            digest = .sha256(of: bytes)
        }
        let probe: Probe
        do {
            probe = try CanonicalJSON.decode(Probe.self, from: bytes)
        } catch {
            throw RegistryError(.invalidContent, "the manifest cannot be read", place: place, cause: error.cause)
        }
        if probe.schemaVersion == 1 {
            throw RegistryError(
                .unsupported, "the image has a manifest of Docker's schema 1", place: place,
                hint: "push the image again with a tool of this decade")
        }
        if probe.manifests != nil && (probe.config != nil || probe.layers != nil) {
            throw RegistryError(
                .invalidContent, "the document is both a manifest and an index", place: place)
        }
        let known = declared.flatMap { $0.isManifest || $0.isIndex ? $0 : nil }
        if let known, let own = probe.mediaType, own != known {
            throw RegistryError(
                .invalidContent, "the manifest contradicts itself", place: place,
                cause: "it is delivered as \(known) and calls itself \(own)")
        }
        let type = known ?? probe.mediaType ?? (probe.manifests != nil ? MediaType.ociIndex : .ociManifest)
        guard type.isIndex ? probe.manifests != nil || probe.config == nil : probe.config != nil else {
            throw RegistryError(
                .invalidContent, "the document is not what its type says", place: place, cause: "\(type)")
        }
        return RawManifest(bytes: bytes, mediaType: type, digest: digest)
    }

    /// What must be in the repository before the manifest may be.
    static func references(
        in bytes: [UInt8], mediaType: MediaType, place: String
    ) throws(RegistryError) -> [Descriptor] {
        do {
            if mediaType.isIndex { return try CanonicalJSON.decode(ImageIndex.self, from: bytes).manifests }
            let manifest = try CanonicalJSON.decode(Manifest.self, from: bytes)
            return ([manifest.config] + manifest.layers).filter { !$0.mediaType.isForeignLayer }
        } catch {
            throw RegistryError(error, place: place)
        }
    }
}
