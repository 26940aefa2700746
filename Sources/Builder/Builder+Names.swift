package import OCI
package import Registry

/// An image that a repository holds, to be given further names, there or elsewhere.
package struct StoredImage: Sendable {
    /// Where its layers are.
    package let repository: RepositoryLocation
    package let manifest: RawManifest
    package let annotations: [String: String]
}

extension Builder {
    /// What a name leads to, asked of its registry now; `nil` when there is no such name.
    package func holder(of name: ImageLocation) async throws(BuildError) -> TagHolder? {
        guard let tag = name.writtenTag else { return nil }
        return try await explained("cannot look up \(name)") { () async throws(RegistryError) in
            try await registry.repository(name.repository).holder(ofTag: tag)
        }
    }

    /// Lets a name lead to an image whose parts are there, unless the image that has the name keeps it.
    package func claim(
        _ name: ImageLocation, for image: RawManifest, unless isKept: @escaping @Sendable (TagHolder) -> Bool
    ) async throws(BuildError) -> TagClaim {
        try await explained("cannot push \(name)") { () async throws(RegistryError) in
            let repository = try registry.repository(name.repository)
            guard let tag = name.writtenTag else {
                _ = try await repository.pushManifest(image.bytes, mediaType: image.mediaType, tag: nil)
                return .given
            }
            return try await repository.claim(tag, for: image, unless: isKept)
        }
    }

    /// An image that a repository holds, with annotations put over its own: without any, it stays the image that it is.
    package func stored(
        _ digest: Digest, in repository: RepositoryLocation, annotations: [String: String]
    ) async throws(BuildError) -> StoredImage {
        let raw = try await explained("cannot read \(repository)@\(digest)") { () async throws(RegistryError) in
            try await registry.repository(repository).manifest(.digest(digest))
        }
        guard let raw else {
            throw BuildError(.registry, "\(repository)@\(digest) is not there any more")
        }
        do throws(OCIError) {
            if raw.mediaType.isIndex {
                var index = try CanonicalJSON.decode(ImageIndex.self, from: raw.bytes)
                let merged = (index.annotations ?? [:]).merging(annotations) { _, new in new }
                guard merged != index.annotations ?? [:] else { return StoredImage(repository, raw, merged) }
                index.annotations = merged
                let bytes = try CanonicalJSON.encode(index)
                return StoredImage(repository, RawManifest(bytes, raw.mediaType), merged)
            }
            var manifest = try CanonicalJSON.decode(Manifest.self, from: raw.bytes)
            let merged = (manifest.annotations ?? [:]).merging(annotations) { _, new in new }
            guard merged != manifest.annotations ?? [:] else { return StoredImage(repository, raw, merged) }
            manifest.annotations = merged
            let bytes = try CanonicalJSON.encode(manifest)
            return StoredImage(repository, RawManifest(bytes, manifest.mediaType ?? raw.mediaType), merged)
        } catch {
            throw BuildError(.registry, "cannot read the manifest of \(repository)@\(digest)", from: error)
        }
    }

    /// Brings all that a stored image consists of to the repositories of the names, and lets no name lead to it.
    package func upload(_ image: StoredImage, to locations: [ImageLocation]) async throws(BuildError) {
        var done: Set<RepositoryLocation> = [image.repository]
        for location in locations where done.insert(location.repository).inserted {
            try await copyBlobs(of: image, to: location)
        }
    }

    private func copyBlobs(of image: StoredImage, to location: ImageLocation) async throws(BuildError) {
        guard !image.manifest.mediaType.isIndex,
            let manifest = try? CanonicalJSON.decode(Manifest.self, from: image.manifest.bytes)
        else {
            throw BuildError(
                .unsupported, "cannot copy an image of several platforms to \(location)",
                hint: "build it for that repository")
        }
        let uploads = LayerUploads(self, to: [location]) { _ in }
        for descriptor in [manifest.config] + manifest.layers {
            let layer = BuiltImage.Layer(
                descriptor: descriptor, diffID: descriptor.digest, origin: .base(image.repository), createdBy: "")
            _ = try await uploads.outcome(of: layer, to: location)
        }
    }
}

extension StoredImage {
    fileprivate init(_ repository: RepositoryLocation, _ manifest: RawManifest, _ annotations: [String: String]) {
        self.repository = repository
        self.manifest = manifest
        self.annotations = annotations
    }
}

extension RawManifest {
    fileprivate init(_ bytes: [UInt8], _ mediaType: MediaType) {
        self.init(bytes: bytes, mediaType: mediaType, digest: .sha256(of: bytes))
    }
}
