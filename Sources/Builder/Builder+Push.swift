import ContentStore
package import OCI
import Registry

extension Builder {
    /// Pushes an image to all its names: what is missing first, then configuration and manifest, the tags at the very
    /// end, so that a name never leads to a part of an image.
    package func push(
        _ image: BuiltImage, to locations: [ImageLocation], progress: @escaping @Sendable (BuildEvent) -> Void
    ) async throws(BuildError) -> PushReport {
        async let known = names(of: image, among: locations)
        let report = try await upload(image, to: locations, progress: progress)
        let present = await known
        // One repository after the other, in the order in which they are first named.
        for location in report.destinations.flatMap({ first in
            locations.filter { $0.repository == first.location.repository }
        }) {
            try Task.checkBuildCancellation()
            if !present.contains(location) {
                _ = try await explained("cannot push \(location)") { () async throws(RegistryError) in
                    try await registry.repository(location.repository).pushManifest(
                        image.manifestBytes, mediaType: image.manifest.mediaType ?? .ociManifest,
                        tag: location.writtenTag)
                }
            }
            progress(.manifestPushed(image.manifestDigest, to: location))
        }
        return report
    }

    /// Brings all that an image consists of to the repositories of the names, and lets no name lead to it.
    package func upload(
        _ image: BuiltImage, to locations: [ImageLocation], progress: @escaping @Sendable (BuildEvent) -> Void
    ) async throws(BuildError) -> PushReport {
        var report = PushReport()
        let uploads = image.uploads(to: locations, by: self, progress)
        let config = BuiltImage.Layer(
            descriptor: image.manifest.config, diffID: image.manifest.config.digest, origin: .built, createdBy: "")
        try storing { () throws(ContentStoreError) in _ = try store.content.add(image.configBytes) }
        for layer in image.layers + [config] { await uploads.begin(layer) }
        for location in locations
        where !report.destinations.contains(where: { $0.location.repository == location.repository }) {
            var destination = PushReport.Destination(location: location, digest: image.manifestDigest)
            try await pushBlobs(of: image, config, as: location, by: uploads, &destination)
            report.destinations.append(destination)
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
        var failures = PullFailures()
        for candidate in registry.pullCandidates(location) {
            do throws(RegistryError) {
                try await candidate.fetchBlob(descriptor, into: content, progress: meter.moved)
                isWhole = true
                return
            } catch { failures.add(error) }
        }
        let summary = "cannot fetch the layer \(descriptor.digest) of \(location)"
        if let failure = failures.error {
            throw BuildError(failure.code == .cancelled ? .cancelled : .registry, summary, from: failure)
        }
        throw BuildError(.registry, summary, cause: "no registry is known for it")
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
