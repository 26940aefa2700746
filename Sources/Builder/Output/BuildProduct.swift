package import OCI
package import Registry

/// What a build gives under one name: an image, or an index of images for several platforms.
package struct BuildProduct: Sendable {
    package let images: [BuiltImage]
    /// Of the only image, or the index.
    package let manifest: RawManifest

    /// - Parameters:
    ///   - images: at least one, each for another platform.
    ///   - annotations: of the index, where there is one.
    package init(
        _ images: [BuiltImage], format: BuildRequest.ImageFormat, annotations: [String: String] = [:]
    ) throws(BuildError) {
        self.images = images
        guard let first = images.first else { throw BuildError(.dockerfile, "no platform is asked for") }
        guard images.count > 1 else {
            manifest = first.rawManifest
            return
        }
        let isDocker = format == .docker
        var index = ImageIndex(
            mediaType: isDocker ? .dockerManifestList : .ociIndex,
            manifests: images.map { image in
                var descriptor = image.rawManifest.descriptor
                descriptor.platform = image.config.platform
                return descriptor
            }, annotations: isDocker ? nil : annotations)
        if index.annotations?.isEmpty == true { index.annotations = nil }
        do {
            let bytes = try CanonicalJSON.encode(index)
            manifest = RawManifest(
                bytes: bytes, mediaType: index.mediaType ?? .ociIndex, digest: .sha256(of: bytes))
        } catch {
            throw BuildError(.storage, "cannot write the image's index", from: error)
        }
    }

    /// Every manifest, those that the index names first.
    var manifests: [RawManifest] {
        images.count > 1 ? images.map(\.rawManifest) + [manifest] : [manifest]
    }
}

extension BuiltImage {
    package var rawManifest: RawManifest {
        RawManifest(
            bytes: manifestBytes, mediaType: manifest.mediaType ?? .ociManifest, digest: manifestDigest)
    }
}

extension Builder {
    /// Pushes a product to all its names, the tags at the very end.
    ///
    /// - Parameter ignoringImmutableTags: a tag that the registry does not let be moved is left where it is.
    package func push(
        _ product: BuildProduct, to locations: [ImageLocation], ignoringImmutableTags: Bool = false,
        progress: @escaping @Sendable (BuildEvent) -> Void
    ) async throws(BuildError) {
        if product.images.count == 1, let image = product.images.first, !ignoringImmutableTags {
            _ = try await push(image, to: locations, progress: progress)
            return
        }
        var repositories: [RepositoryLocation] = []
        for location in locations where !repositories.contains(location.repository) {
            repositories.append(location.repository)
        }
        for image in product.images {
            let places = repositories.map { ImageLocation(repository: $0, digest: image.manifestDigest) }
            _ = try await push(image, to: places, progress: progress)
        }
        for location in locations {
            let remote = try await explained("cannot push to \(location)") { () throws(RegistryError) in
                try registry.repository(location.repository)
            }
            do throws(RegistryError) {
                let digest = try await remote.pushManifest(
                    product.manifest.bytes, mediaType: product.manifest.mediaType, tag: location.writtenTag)
                progress(.manifestPushed(digest, to: location))
            } catch {
                guard ignoringImmutableTags, Self.isImmutable(error) else {
                    throw BuildError(
                        error.code == .cancelled ? .cancelled : .registry, "cannot push \(location)", from: error)
                }
                progress(.note("\(location) is left as it is: the registry does not let the tag be moved"))
            }
        }
    }

    /// What Artifact Registry ("manifest … immutable"), ECR ("cannot be overwritten because the repository is immutable"),
    /// Harbor ("configured as immutable") and ACR ("write operations are disabled … locked") say.
    private static func isImmutable(_ error: RegistryError) -> Bool {
        let words = [error.summary, error.cause ?? ""].joined(separator: " ").lowercased()
        return words.contains("immutable") || words.contains("cannot be overwritten")
            || words.contains("cannot update tag")
    }

    /// Asks the registries whether they would take an upload, by beginning one and giving it up: a build need not be over
    /// before it turns out that nothing can be done with it.
    package func checkPush(to locations: [ImageLocation]) async throws(BuildError) {
        var asked: Set<RepositoryLocation> = []
        for location in locations where asked.insert(location.repository).inserted {
            try await explained("cannot push to \(location.repository)") { () async throws(RegistryError) in
                let repository = try registry.repository(location.repository)
                if let remote = repository as? RemoteRepository { try await remote.checkPush() }
            }
        }
    }
}
