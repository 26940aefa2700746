import OCI
import Registry
import Text

/// What is to be known of an image, whatever tags it has. It never changes for a digest.
struct ImageFacts: Sendable, Hashable {
    var created: Int64?
    var annotations = ImageAnnotations()
    var platforms: [Platform] = []
    var problem: String?

    /// Bytes that a configuration may have.
    private static let configLimit = 8 << 20

    /// Reads an image's facts behind the manifest or index that a tag points at.
    ///
    /// - Parameter wanted: every one of these platforms has to be there. With none, the image for this machine is
    ///   looked at, or else the first one.
    static func read(
        _ top: RawManifest, wanted: [Platform], in repository: any ImageRepository
    ) async throws(RegistryError) -> ImageFacts {
        do {
            guard top.mediaType.isIndex else { return try await single(top, wanted: wanted, in: repository) }
            return try await several(top, wanted: wanted, in: repository)
        } catch {
            guard error.isAboutTheImage else { throw error }
            return ImageFacts(problem: error.summary + (error.cause.map { ": \($0)" } ?? ""))
        }
    }

    private static func single(
        _ raw: RawManifest, wanted: [Platform], in repository: any ImageRepository
    ) async throws(RegistryError) -> ImageFacts {
        let manifest = try decode(Manifest.self, raw)
        var facts = ImageFacts(annotations: kept(manifest.annotations))
        guard manifest.config.mediaType.isConfig else {
            facts.problem = "it is not an image: its configuration is \(printable(manifest.config.mediaType.rawValue))"
            return facts
        }
        // Slipway's own images say in their annotations what their configuration says.
        if wanted.isEmpty, facts.annotations[Annotation.contentKey] != nil,
            let created = facts.annotations[Annotation.created].flatMap(UTCDate.seconds(rfc3339:))
        {
            facts.created = created
            return facts
        }
        let bytes = try await repository.blob(manifest.config, limit: configLimit)
        let config: ImageConfig
        do {
            config = try CanonicalJSON.decode(ImageConfig.self, from: bytes)
        } catch {
            throw RegistryError(.invalidContent, error.summary, cause: error.cause)
        }
        facts.created = config.created.flatMap(UTCDate.seconds(rfc3339:))
        facts.platforms = [config.platform]
        // A configuration that names no platform runs anywhere, as far as anybody can tell.
        if !config.os.isEmpty, let missing = wanted.first(where: { !config.platform.matches($0) }) {
            facts.problem = "it exists for \(printable(config.platform.description)), not for \(missing)"
        }
        return facts
    }

    private static func several(
        _ raw: RawManifest, wanted: [Platform], in repository: any ImageRepository
    ) async throws(RegistryError) -> ImageFacts {
        let index = try decode(ImageIndex.self, raw)
        // Attestations lie in the index as manifests of the platform "unknown".
        let images = index.manifests.filter { $0.mediaType.isManifest && $0.platform?.os != "unknown" }
        var facts = ImageFacts(platforms: images.compactMap(\.platform))
        var chosen: [Descriptor] = []
        for platform in wanted.isEmpty ? [Platform.host] : wanted {
            if let image = best(of: images, for: platform)
                ?? (images.count == 1 && images[0].platform == nil ? images[0] : nil)
            {
                if !chosen.contains(image) { chosen.append(image) }
            } else if wanted.isEmpty, let first = images.first {
                chosen.append(first)
            } else {
                let offered = facts.platforms.map { printable("\($0)") }.joined(separator: ", ")
                facts.problem =
                    offered.isEmpty
                    ? "its index names no image for \(platform)" : "it exists for \(offered), not for \(platform)"
                facts.annotations = kept(index.annotations)
                return facts
            }
        }
        for descriptor in chosen {
            guard let next = try await repository.manifest(.digest(descriptor.digest)) else {
                facts.problem = "its index names a manifest that is not there: \(descriptor.digest)"
                break
            }
            guard next.mediaType.isManifest else {
                facts.problem = "it is an index of indexes"
                break
            }
            let one = try await single(next, wanted: [], in: repository)
            facts.created = [facts.created, one.created].compactMap(\.self).max()
            facts.annotations.fill(from: one.annotations)
            facts.problem = facts.problem ?? one.problem
        }
        var own = kept(index.annotations)
        own.fill(from: facts.annotations)
        facts.annotations = own
        return facts
    }

    private static func kept(_ annotations: [String: String]?) -> ImageAnnotations {
        ImageAnnotations(annotations ?? [:])
    }

    private static func best(of images: [Descriptor], for platform: Platform) -> Descriptor? {
        images.compactMap { image in image.platform?.rank(for: platform).map { (rank: $0, image: image) } }
            .min { $0.rank < $1.rank }?.image
    }

    private static func decode<T: Decodable>(_ type: T.Type, _ raw: RawManifest) throws(RegistryError) -> T {
        do {
            return try CanonicalJSON.decode(type, from: raw.bytes)
        } catch {
            throw RegistryError(.invalidContent, error.summary, cause: error.cause)
        }
    }
}

extension RegistryError {
    /// The image is as it is, and will be at the next scan: a fact about its tag, and no reason to stop the scan.
    var isAboutTheImage: Bool {
        switch code {
        case .notFound, .invalidContent, .digestMismatch, .tooLarge, .ambiguous, .platformMissing, .unsupported:
            !isTransient
        case .unauthorized, .denied, .contentMissing, .rateLimited, .unavailable, .tls, .plainHTTPRefused, .credentials,
            .io, .cancelled:
            false
        }
    }
}
