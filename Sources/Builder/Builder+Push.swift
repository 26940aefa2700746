import ContentStore
package import OCI
import Registry

extension Builder {
    /// Pushes an image to all its names: what is missing first, then configuration and manifest, the tags at the very
    /// end, so that a name never leads to a part of an image.
    package func push(
        _ image: BuiltImage, to locations: [ImageLocation], progress: @escaping @Sendable (BuildEvent) -> Void
    ) async throws(BuildError) -> PushReport {
        var report = PushReport()
        var order: [RepositoryLocation] = []
        for location in locations where !order.contains(location.repository) { order.append(location.repository) }
        var tagged: [(any ImageRepository, ImageLocation)] = []
        let uploads = image.uploads(to: locations, by: self, progress)
        let config = BuiltImage.Layer(
            descriptor: image.manifest.config, diffID: image.manifest.config.digest, origin: .built, createdBy: "")
        try storing { () throws(ContentStoreError) in _ = try store.content.add(image.configBytes) }
        for layer in image.layers + [config] { await uploads.begin(layer) }
        async let known = names(of: image, among: locations)
        for repository in order {
            let names = locations.filter { $0.repository == repository }
            let remote = try await explained("cannot push to \(repository)") { () throws(RegistryError) in
                try registry.repository(repository)
            }
            guard let first = names.first else { continue }
            var destination = PushReport.Destination(location: first, digest: image.manifestDigest)
            try await pushBlobs(of: image, config, as: first, by: uploads, &destination)
            report.destinations.append(destination)
            tagged += names.map { (remote, $0) }
        }
        let present = await known
        for (remote, location) in tagged {
            try Task.checkBuildCancellation()
            if !present.contains(location) {
                _ = try await explained("cannot push \(location)") { () async throws(RegistryError) in
                    try await remote.pushManifest(
                        image.manifestBytes, mediaType: image.manifest.mediaType ?? .ociManifest,
                        tag: location.writtenTag)
                }
            }
            progress(.manifestPushed(image.manifestDigest, to: location))
        }
        return report
    }

    /// The names that lead to the image already, if it is one that was made before. Where that cannot be asked, it is written.
    private func names(of image: BuiltImage, among locations: [ImageLocation]) async -> Set<ImageLocation> {
        var found: Set<ImageLocation> = []
        for location in locations where !image.isNew {
            guard let tag = location.writtenTag, let remote = try? registry.repository(location.repository),
                let digest = try? await remote.digest(ofTag: tag), digest == image.manifestDigest
            else { continue }
            found.insert(location)
        }
        return found
    }

    private func pushBlobs(
        of image: BuiltImage, _ config: BuiltImage.Layer, as location: ImageLocation, by uploads: LayerUploads,
        _ destination: inout PushReport.Destination
    ) async throws(BuildError) {
        var done: Set<Digest> = []
        for (descriptor, layer) in zip(image.manifest.layers + [config.descriptor], image.layers + [config])
        where done.insert(descriptor.digest).inserted {
            try Task.checkBuildCancellation()
            switch try await uploads.outcome(of: layer, to: location) {
            case .existed: destination.existed += 1
            case .mounted: destination.mounted += 1
            case .uploaded: destination.uploaded += descriptor.size
            }
        }
    }

    /// Brings a base's layer into the local store; nothing when it is there.
    func fetch(
        _ descriptor: Descriptor, from location: RepositoryLocation, watcher: (any IngestWatcher)? = nil,
        progress: @escaping @Sendable (BuildEvent) -> Void = { _ in }
    ) async throws(BuildError) {
        if store.content.size(of: descriptor.digest) == descriptor.size { return }
        let content = watcher.map { store.content.watched(by: $0) } ?? store.content
        let meter = TransferMeter(.pull, descriptor, location, tell: progress)
        var isWhole = false
        defer { meter.end(isDone: isWhole) }
        meter.begin()
        var failure: RegistryError?
        for candidate in registry.pullCandidates(location) {
            do throws(RegistryError) {
                try await candidate.fetchBlob(descriptor, into: content, progress: meter.moved)
                isWhole = true
                return
            } catch { if failure == nil { failure = error } }
        }
        let summary = "cannot fetch the layer \(descriptor.digest) of \(location)"
        if let failure { throw BuildError(failure.code == .cancelled ? .cancelled : .registry, summary, from: failure) }
        throw BuildError(.registry, summary, cause: "no registry is known for it")
    }

    /// Gives an image that a repository holds further names, there or elsewhere, with annotations put over its own.
    ///
    /// - Returns: the digest under the new names.
    package func rename(
        _ digest: Digest, in repository: RepositoryLocation, to locations: [ImageLocation],
        annotations: [String: String]
    ) async throws(BuildError) -> Digest {
        let source = try await explained("cannot read \(repository)@\(digest)") { () throws(RegistryError) in
            try registry.repository(repository)
        }
        let raw = try await explained("cannot read \(repository)@\(digest)") { () async throws(RegistryError) in
            try await source.manifest(.digest(digest))
        }
        guard let raw else {
            throw BuildError(.registry, "\(repository)@\(digest) is not there any more")
        }
        var bytes = raw.bytes
        var mediaType = raw.mediaType
        do throws(OCIError) {
            if mediaType.isIndex {
                var index = try CanonicalJSON.decode(ImageIndex.self, from: bytes)
                index.annotations = (index.annotations ?? [:]).merging(annotations) { _, new in new }
                bytes = try CanonicalJSON.encode(index)
            } else {
                var manifest = try CanonicalJSON.decode(Manifest.self, from: bytes)
                manifest.annotations = (manifest.annotations ?? [:]).merging(annotations) { _, new in new }
                mediaType = manifest.mediaType ?? mediaType
                bytes = try CanonicalJSON.encode(manifest)
            }
        } catch {
            throw BuildError(.registry, "cannot read the manifest of \(repository)@\(digest)", from: error)
        }
        var result = digest
        for location in locations {
            let target = try await explained("cannot push to \(location)") { () throws(RegistryError) in
                try registry.repository(location.repository)
            }
            if location.repository != repository {
                try await copyBlobs(of: bytes, mediaType, at: repository, to: location)
            }
            result = try await explained("cannot push \(location)") { () async throws(RegistryError) in
                try await target.pushManifest(bytes, mediaType: mediaType, tag: location.tag ?? "latest")
            }
        }
        return result
    }

    private func copyBlobs(
        of bytes: [UInt8], _ mediaType: MediaType, at repository: RepositoryLocation, to location: ImageLocation
    ) async throws(BuildError) {
        guard !mediaType.isIndex, let manifest = try? CanonicalJSON.decode(Manifest.self, from: bytes) else {
            throw BuildError(
                .unsupported, "cannot copy an image of several platforms to \(location)",
                hint: "build it for that repository")
        }
        let uploads = LayerUploads(self, to: [location]) { _ in }
        for descriptor in [manifest.config] + manifest.layers {
            let layer = BuiltImage.Layer(
                descriptor: descriptor, diffID: descriptor.digest, origin: .base(repository), createdBy: "")
            _ = try await uploads.outcome(of: layer, to: location)
        }
    }
}

extension ImageLocation {
    /// The tag that is written; `nil` where only a digest is named.
    var writtenTag: String? { tag ?? (digest == nil ? "latest" : nil) }
}

extension BuiltImage {
    /// The transfers to some places: those that began while the image was built, where they are to these places.
    fileprivate func uploads(
        to locations: [ImageLocation], by builder: Builder, _ progress: @escaping @Sendable (BuildEvent) -> Void
    ) -> LayerUploads {
        let wanted = Set(locations.map(\.repository))
        if let uploads, Set(uploads.locations.map(\.repository)) == wanted { return uploads }
        return LayerUploads(builder, to: locations, progress: progress)
    }
}
