import OCI
import Registry

/// Layers on their way to the destinations, while the build goes on: each goes once to each repository, and a few go at
/// the same time. The first failure ends all.
actor LayerUploads {
    typealias Outcome = Result<BuildEvent.BlobOutcome, BuildError>

    private struct Item: Hashable {
        let repository: RepositoryLocation
        let digest: Digest
    }

    private let builder: Builder
    /// One location for each repository.
    nonisolated let locations: [ImageLocation]
    private let progress: @Sendable (BuildEvent) -> Void
    private let slots: [RepositoryLocation: UploadSlots]
    private var tasks: [Item: Task<Outcome, Never>] = [:]
    private var failure: BuildError?
    private var isCancelled = false
    /// What fails, for whoever builds meanwhile.
    nonisolated let failures: AsyncStream<BuildError>
    private let failing: AsyncStream<BuildError>.Continuation
    private var bases: BaseFetcher?

    /// Transfers at a time to one repository.
    private static let width = 4

    init(_ builder: Builder, to locations: [ImageLocation], progress: @escaping @Sendable (BuildEvent) -> Void) {
        self.builder = builder
        self.progress = progress
        var firsts: [ImageLocation] = []
        for location in locations where !firsts.contains(where: { $0.repository == location.repository }) {
            firsts.append(location)
        }
        self.locations = firsts
        slots = Dictionary(
            firsts.map { ($0.repository, UploadSlots(Self.width)) }, uniquingKeysWith: { first, _ in first })
        (failures, failing) = AsyncStream.makeStream()
    }

    deinit { for task in tasks.values { task.cancel() } }

    /// Who fetches the layers of base images that a destination can get in no other way.
    func use(_ bases: BaseFetcher?) { self.bases = bases }

    /// Sends a layer to all destinations; nothing happens for those where it is on its way.
    ///
    /// - Parameter stream: the same layer, if it was sent while it was made.
    func begin(_ layer: BuiltImage.Layer, _ stream: LayerStream? = nil) {
        for location in locations { _ = task(layer, to: location, stream?.take(location.repository)) }
    }

    /// For a layer that is about to be made.
    nonisolated func stream() -> LayerStream {
        LayerStream(to: locations.compactMap { try? builder.registry.repository($0.repository) })
    }

    /// How sending a layer ended; it is sent now if it was not before.
    func outcome(of layer: BuiltImage.Layer, to location: ImageLocation) async throws(BuildError)
        -> BuildEvent.BlobOutcome
    {
        let task = task(layer, to: location)
        let outcome = await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        if case .failure(let error) = outcome, error.code == .cancelled, let failure, !Task.isCancelled {
            throw failure
        }
        return try outcome.get()
    }

    /// Waits for the transfers of a blob that are under way; gives the repositories that have it.
    func settled(_ digest: Digest) async -> [RepositoryLocation] {
        var found: [RepositoryLocation] = []
        for location in locations {
            guard let task = tasks[Item(repository: location.repository, digest: digest)] else { continue }
            if case .success = await task.value { found.append(location.repository) }
        }
        return found
    }

    private func task(
        _ layer: BuiltImage.Layer, to location: ImageLocation, _ streamed: StreamedUpload? = nil
    ) -> Task<Outcome, Never> {
        let item = Item(repository: location.repository, digest: layer.descriptor.digest)
        if let known = tasks[item] {
            if let streamed { Task { await streamed.abandon() } }
            return known
        }
        let (builder, progress, bases) = (builder, progress, bases)
        let slots = slots[location.repository]
        let isCancelled = isCancelled
        let task = Task { [weak self] () -> Outcome in
            await slots?.acquire()
            let outcome: Outcome
            do throws(BuildError) {
                if isCancelled || Task.isCancelled { throw BuildError(.cancelled, "the upload was cancelled") }
                outcome = .success(try await builder.send(layer, to: location, streamed, bases, progress))
            } catch {
                outcome = .failure(error)
            }
            await slots?.release()
            if case .failure(let error) = outcome { await self?.fail(error) }
            return outcome
        }
        tasks[item] = task
        return task
    }

    private func fail(_ error: BuildError) {
        guard failure == nil, error.code != .cancelled else { return }
        failure = error
        failing.yield(error)
        cancel()
    }

    /// Nobody listens for failures any more: they come up when the image is pushed.
    nonisolated func endWatch() { failing.finish() }

    func cancel() {
        isCancelled = true
        for task in tasks.values { task.cancel() }
    }
}

extension Builder {
    /// Brings one layer into a repository: not at all when it is there, else by a mount, else from the local store, where
    /// a layer of a base image or of the shared cache is put only then.
    fileprivate func send(
        _ layer: BuiltImage.Layer, to location: ImageLocation, _ streamed: StreamedUpload?, _ bases: BaseFetcher?,
        _ progress: @escaping @Sendable (BuildEvent) -> Void
    ) async throws(BuildError) -> BuildEvent.BlobOutcome {
        let remote = try await explained("cannot push to \(location.repository)") { () throws(RegistryError) in
            try registry.repository(location.repository)
        }
        let descriptor = layer.descriptor
        let sources = [layer.origin.repository].compactMap { $0 }
        let meter = TransferMeter(.push, descriptor, location.repository, tell: progress)
        var isUploaded = false
        // Behind the event of the whole blob: what is shown of both does not fall in between.
        defer { meter.end(isDone: isUploaded) }
        let outcome: UploadOutcome
        do throws(RegistryError) {
            if let streamed {
                outcome = try await streamed.push(descriptor, from: store.content, progress: meter.moved)
            } else {
                outcome = try await remote.pushBlob(
                    descriptor, from: store.content, mountFrom: sources, progress: meter.moved)
            }
        } catch {
            guard error.code == .contentMissing, let source = sources.first else {
                throw BuildError(
                    error.code == .cancelled ? .cancelled : .registry, "cannot push to \(location)", from: error)
            }
            if let bases {
                try await bases.layer(layer)
            } else {
                try await fetch(descriptor, from: source, progress: progress)
            }
            outcome = try await explained("cannot push to \(location)") { () async throws(RegistryError) in
                try await remote.pushBlob(
                    descriptor, from: store.content, mountFrom: sources, progress: meter.moved)
            }
        }
        let shown = BuildEvent.BlobOutcome(outcome)
        isUploaded = outcome == .uploaded
        progress(.blobPushed(descriptor.digest, size: descriptor.size, outcome: shown, to: location))
        return shown
    }
}

extension BuildEvent.BlobOutcome {
    init(_ outcome: UploadOutcome) {
        switch outcome {
        case .existed: self = .existed
        case .mounted: self = .mounted
        case .uploaded: self = .uploaded
        }
    }
}
