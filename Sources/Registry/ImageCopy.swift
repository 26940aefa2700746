import ContentStore
package import OCI

/// Copies an image between registries and layouts, in every direction.
///
/// What is copied is verified on the way; blobs that the destination has are not moved, and within one registry they are
/// mounted. Blobs go first, then the manifests that an index names, then the tag: a name never leads to a part of an image.
package struct ImageCopy: Sendable {
    package struct Report: Sendable, Hashable {
        /// Of the image at the destination; the source's, unless platforms were chosen.
        package var digest: Digest
        package var mediaType: MediaType
        package var manifests = 0
        /// Blobs that the destination had, that its registry had elsewhere, and that were moved.
        package var existed = 0
        package var mounted = 0
        package var uploaded = 0
        /// Bytes of the blobs that were moved.
        package var bytes: Int64 = 0
    }

    package enum Event: Sendable, Hashable {
        case blob(Digest, size: Int64, UploadOutcome)
        case manifest(Digest, tag: String?)
    }

    private let registry: RegistryAccess
    private let platforms: [Platform]
    private let scratch: String
    private let concurrency: Int
    private let event: @Sendable (Event) -> Void

    /// - Parameters:
    ///   - platforms: which parts of an index are copied; none: all of it, unchanged. One gives its manifest, several an
    ///     index of these.
    ///   - scratch: a directory for blobs between two registries; what is put there is removed again.
    package init(
        registry: RegistryAccess, platforms: [Platform] = [], scratch: String, concurrency: Int = 4,
        event: @escaping @Sendable (Event) -> Void = { _ in }
    ) {
        self.registry = registry
        self.platforms = platforms
        self.scratch = scratch
        self.concurrency = max(1, concurrency)
        self.event = event
    }

    /// - Parameter destination: without a tag, the source's; with a digest, the copy must have it.
    package func run(from source: ImageLocation, to destination: ImageLocation) async throws(RegistryError) -> Report {
        let (repository, top) = try await find(source)
        let target = try registry.repository(destination.repository)
        var plan = Plan()
        try await self.plan(top, in: repository, source, &plan)
        guard let last = plan.manifests.last else {
            throw RegistryError(.invalidContent, "there is nothing to copy", place: "\(source)")
        }
        if let wanted = destination.digest, wanted != last.digest {
            throw RegistryError(
                .digestMismatch, "the copy would not have the digest that its name says", place: "\(destination)",
                cause: "it is \(last.digest)")
        }
        var report = Report(digest: last.digest, mediaType: last.mediaType)
        let mover = try BlobMover(from: repository, to: target, scratch: scratch)
        let moved: Result<[(Descriptor, UploadOutcome)], RegistryError> = await move(plan.blobs, by: mover)
        mover.clean()
        for (blob, outcome) in try moved.get() {
            switch outcome {
            case .existed: report.existed += 1
            case .mounted: report.mounted += 1
            case .uploaded:
                report.uploaded += 1
                report.bytes += blob.size
            }
        }
        for manifest in plan.manifests.dropLast() {
            _ = try await target.pushManifest(manifest.bytes, mediaType: manifest.mediaType, tag: nil)
            event(.manifest(manifest.digest, tag: nil))
        }
        // An image copied by its digest gets no name that nobody gave it.
        let tag =
            destination.tag
            ?? (destination.digest == nil ? source.tag ?? (source.digest == nil ? "latest" : nil) : nil)
        report.digest = try await target.pushManifest(last.bytes, mediaType: last.mediaType, tag: tag)
        event(.manifest(last.digest, tag: tag))
        report.manifests = plan.manifests.count
        return report
    }

    private func find(_ source: ImageLocation) async throws(RegistryError) -> (any ImageRepository, RawManifest) {
        var failures = PullFailures()
        for candidate in registry.pullCandidates(source.repository) {
            do throws(RegistryError) {
                if let found = try await candidate.manifest(tag: source.tag, digest: source.digest) {
                    return (candidate, found)
                }
                failures.add(missing: candidate.location)
            } catch {
                if error.code == .cancelled { throw error }
                failures.add(error)
            }
        }
        throw failures.error ?? RegistryError(.notFound, "there is no such image", place: "\(source.withDefaultTag)")
    }

    // MARK: Plan

    /// Manifests in the order in which they can be pushed, and the blobs that they need.
    private struct Plan {
        var manifests: [RawManifest] = []
        var blobs: [Descriptor] = []
        private var known: Set<Digest> = []

        mutating func add(_ manifest: RawManifest) {
            if !manifests.contains(where: { $0.digest == manifest.digest }) { manifests.append(manifest) }
        }

        mutating func add(blobs more: [Descriptor]) {
            for blob in more where known.insert(blob.digest).inserted { blobs.append(blob) }
        }
    }

    private static let mostManifests = 5000

    private func plan(
        _ top: RawManifest, in repository: any ImageRepository, _ source: ImageLocation, _ plan: inout Plan
    ) async throws(RegistryError) {
        let place = "\(source)"
        guard !platforms.isEmpty else { return try await addAll(top, in: repository, place, depth: 0, &plan) }
        guard top.mediaType.isIndex else {
            try await check(top, in: repository, place)
            return try await addAll(top, in: repository, place, depth: 0, &plan)
        }
        var index: ImageIndex
        do {
            index = try CanonicalJSON.decode(ImageIndex.self, from: top.bytes)
        } catch {
            throw RegistryError(error, place: place)
        }
        var chosen: [Descriptor] = []
        for platform in platforms {
            let entry = try index.choose(platform, place: place)
            if !chosen.contains(where: { $0.digest == entry.digest }) { chosen.append(entry) }
        }
        if chosen.count == 1, let only = chosen.first {
            return try await addAll(try await part(only, of: repository, place), in: repository, place, depth: 1, &plan)
        }
        // What BuildKit says about an image (provenance, bills of materials) names it by this annotation.
        let digests = Set(chosen.map(\.digest.description))
        chosen += index.manifests.filter {
            $0.annotations?["vnd.docker.reference.digest"].map(digests.contains) == true
        }
        for entry in chosen {
            try await addAll(try await part(entry, of: repository, place), in: repository, place, depth: 1, &plan)
        }
        index.manifests = chosen
        do {
            let bytes = try CanonicalJSON.encode(index)
            plan.add(RawManifest(bytes: bytes, mediaType: top.mediaType, digest: .sha256(of: bytes)))
        } catch {
            throw RegistryError(error, place: place)
        }
    }

    private func addAll(
        _ manifest: RawManifest, in repository: any ImageRepository, _ place: String, depth: Int, _ plan: inout Plan
    ) async throws(RegistryError) {
        let parts = try ManifestDocument.references(in: manifest.bytes, mediaType: manifest.mediaType, place: place)
        if manifest.mediaType.isIndex {
            guard depth < 4, plan.manifests.count + parts.count <= Self.mostManifests else {
                throw RegistryError(.invalidContent, "the image is an index of indexes without end", place: place)
            }
            for entry in parts where !plan.manifests.contains(where: { $0.digest == entry.digest }) {
                let part = try await part(entry, of: repository, place)
                try await addAll(part, in: repository, place, depth: depth + 1, &plan)
            }
        } else {
            plan.add(blobs: parts)
        }
        plan.add(manifest)
    }

    private func part(
        _ entry: Descriptor, of repository: any ImageRepository, _ place: String
    ) async throws(RegistryError) -> RawManifest {
        guard let part = try await repository.manifest(.digest(entry.digest)) else {
            throw RegistryError(
                .notFound, "the index names a manifest that is not there", place: place, cause: "\(entry.digest)",
                hint: "choose the platforms that are there with --platform")
        }
        return part
    }

    /// A manifest without an index is for the platform that its configuration names.
    private func check(
        _ manifest: RawManifest, in repository: any ImageRepository, _ place: String
    ) async throws(RegistryError) {
        let config: ImageConfig
        do {
            let document = try CanonicalJSON.decode(Manifest.self, from: manifest.bytes)
            guard document.config.mediaType.isConfig else {
                throw RegistryError(.unsupported, "only images have platforms", place: place)
            }
            let bytes = try await repository.blob(document.config, limit: Limits.config)
            config = try CanonicalJSON.decode(ImageConfig.self, from: bytes)
        } catch let error as RegistryError {
            throw error
        } catch let error as OCIError {
            throw RegistryError(error, place: place)
        } catch {
            throw RegistryError(.invalidContent, "the image cannot be read", place: place)
        }
        for platform in platforms where !config.platform.matches(platform) {
            throw RegistryError(
                .platformMissing, "the image does not exist for \(platform)", place: place,
                cause: "it exists for \(config.platform)")
        }
    }

    // MARK: Blobs

    private func move(
        _ blobs: [Descriptor], by mover: BlobMover
    ) async -> Result<[(Descriptor, UploadOutcome)], RegistryError> {
        typealias Moved = Result<(Descriptor, UploadOutcome), RegistryError>
        return await withTaskGroup(of: Moved.self) { group in
            var next = blobs.makeIterator()
            func start() {
                guard let blob = next.next() else { return }
                group.addTask {
                    do throws(RegistryError) {
                        return .success((blob, try await mover.move(blob)))
                    } catch {
                        return .failure(error)
                    }
                }
            }
            for _ in 0..<concurrency { start() }
            var done: [(Descriptor, UploadOutcome)] = []
            var failure: RegistryError?
            for await result in group {
                switch result {
                case .success(let (blob, outcome)):
                    event(.blob(blob.digest, size: blob.size, outcome))
                    done.append((blob, outcome))
                    if failure == nil { start() }
                case .failure(let error):
                    // The first failure is the cause; the others may be its consequences.
                    if failure == nil {
                        failure = error
                        group.cancelAll()
                    }
                }
            }
            if let failure { return .failure(failure) }
            return .success(done)
        }
    }
}
