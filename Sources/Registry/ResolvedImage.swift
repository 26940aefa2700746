import Blocking
package import ContentStore
package import OCI

/// An image for one platform, with everything but its layers.
package struct ResolvedImage: Sendable {
    /// Where it was found: layers come from here.
    package private(set) var repository: any ImageRepository
    /// What the name points at: the index where there is one, else the manifest.
    package let digest: Digest
    package let manifestDigest: Digest
    package let manifest: Manifest
    package let manifestBytes: [UInt8]
    package let manifestMediaType: MediaType
    package let config: ImageConfig
    package let configBytes: [UInt8]

    func found(in repository: any ImageRepository) -> ResolvedImage {
        var copy = self
        copy.repository = repository
        return copy
    }
}

extension ImageRepository {
    /// Follows a name to the image for a platform; `nil` when the name does not exist. A digest wins over a tag.
    ///
    /// - Parameter store: where the configuration is not asked for again that it has.
    package func resolve(
        tag: String?, digest: Digest?, _ platform: Platform, knowing store: ContentStore? = nil
    ) async throws(RegistryError) -> ResolvedImage? {
        guard let top = try await manifest(tag: tag, digest: digest) else { return nil }
        let place = place(tag, digest)
        let raw = try await select(top, platform, place: place)
        let manifest: Manifest = try Self.decode(raw.bytes, place)
        guard manifest.config.mediaType.isConfig else {
            throw RegistryError(
                .unsupported, "this is not a container image", place: place,
                cause: "its configuration is of the type \(manifest.config.mediaType)")
        }
        let bytes: [UInt8]
        if let known = await Self.known(manifest.config, in: store) {
            bytes = known
        } else {
            bytes = try await blob(manifest.config, limit: Limits.config)
        }
        return ResolvedImage(
            repository: self, digest: top.digest, manifestDigest: raw.digest, manifest: manifest,
            manifestBytes: raw.bytes, manifestMediaType: raw.mediaType, config: try Self.decode(bytes, place),
            configBytes: bytes)
    }

    /// The manifest or index of a name, not followed; `nil` when the name does not exist. A digest wins over a tag.
    package func manifest(tag: String?, digest: Digest?) async throws(RegistryError) -> RawManifest? {
        if let digest { return try await manifest(.digest(digest)) }
        if let tag { return try await manifest(.tag(tag)) }
        return try await defaultManifest()
    }

    /// The manifest of a name for a platform; `nil` when the name does not exist.
    package func manifest(
        tag: String?, digest: Digest?, platform: Platform
    ) async throws(RegistryError) -> RawManifest? {
        guard let top = try await manifest(tag: tag, digest: digest) else { return nil }
        return try await select(top, platform, place: place(tag, digest))
    }

    private static func known(_ descriptor: Descriptor, in store: ContentStore?) async -> [UInt8]? {
        guard let store else { return nil }
        return await runBlocking {
            guard store.size(of: descriptor.digest) == descriptor.size else { return nil }
            return try? store.read(descriptor.digest, limit: Limits.config)
        }
    }

    private func place(_ tag: String?, _ digest: Digest?) -> String {
        "\(location)" + (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "")
    }

    private static func decode<Document: Decodable>(
        _ bytes: [UInt8], _ place: String
    ) throws(RegistryError) -> Document {
        do {
            return try CanonicalJSON.decode(Document.self, from: bytes)
        } catch {
            throw RegistryError(error, place: place)
        }
    }

    /// The manifest for the platform, through indexes of indexes up to a depth that no sane image has.
    private func select(
        _ top: RawManifest, _ platform: Platform, place: String
    ) async throws(RegistryError) -> RawManifest {
        var current = top
        for _ in 0..<4 {
            guard current.mediaType.isIndex else { return current }
            let index: ImageIndex = try Self.decode(current.bytes, place)
            let chosen = try index.choose(platform, place: place)
            guard let next = try await manifest(.digest(chosen.digest)) else {
                throw RegistryError(
                    .notFound, "the index names a manifest that is not there", place: place,
                    cause: "\(chosen.digest)")
            }
            current = next
        }
        throw RegistryError(.invalidContent, "the image is an index of indexes without end", place: place)
    }
}

extension ImageIndex {
    /// The entry for a platform: the nearest variant that runs there.
    func choose(_ platform: Platform, place: String) throws(RegistryError) -> Descriptor {
        // Attestations lie in the index as manifests of the platform "unknown".
        let images = manifests.filter {
            $0.platform?.os != "unknown" && ($0.mediaType.isManifest || $0.mediaType.isIndex)
        }
        var best: (rank: Int, descriptor: Descriptor)?
        for descriptor in images {
            guard let rank = descriptor.platform?.rank(for: platform) else { continue }
            if best.map({ rank < $0.rank }) ?? true { best = (rank, descriptor) }
        }
        if let best { return best.descriptor }
        if images.count == 1, images[0].platform == nil { return images[0] }
        let offered = Set(images.compactMap { $0.platform?.description }).sorted()
        throw RegistryError(
            .platformMissing, "the image does not exist for \(platform)", place: place,
            cause: offered.isEmpty
                ? "its index names no platforms" : "it exists for \(offered.joined(separator: ", "))",
            hint: "choose one of them with --platform, or another image")
    }
}
