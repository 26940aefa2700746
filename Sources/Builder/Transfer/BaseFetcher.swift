import Blocking
import ContentStore
import OCI
import Registry

/// Brings the layers of base images here, each once and several at a time: for those that need them now, and ahead for
/// those that will.
actor BaseFetcher {
    private let builder: Builder
    private let progress: @Sendable (BuildEvent) -> Void
    private var fetches: [Digest: Fetch] = [:]
    private var told: Set<Digest> = []
    /// How many wait for each.
    private var waiting: [Digest: Int] = [:]

    private struct Fetch {
        /// Gives the bytes that were fetched.
        let task: Task<Result<Int64, BuildError>, Never>
        let arrival: BlobArrival
    }

    init(_ builder: Builder, progress: @escaping @Sendable (BuildEvent) -> Void) {
        self.builder = builder
        self.progress = progress
    }

    /// Begins to fetch what is not here yet.
    func begin(_ base: BaseImage) throws(BuildError) {
        var chain: Digest?
        for layer in try base.layers() {
            let id = ChainID.next(after: chain, layer)
            chain = id
            if builder.store.layers.directory(of: id) == nil { _ = fetch(layer) }
        }
    }

    private func fetch(_ layer: BuiltImage.Layer) -> Fetch {
        if let known = fetches[layer.descriptor.digest] { return known }
        let (builder, progress) = (builder, progress)
        let arrival = BlobArrival()
        let task = Task { () -> Result<Int64, BuildError> in
            var isWhole = false
            defer { arrival.ended(isWhole: isWhole) }
            do throws(BuildError) {
                if builder.store.content.size(of: layer.descriptor.digest) == layer.descriptor.size {
                    return .success(0)
                }
                guard let repository = layer.origin.repository else {
                    throw BuildError(
                        .storage, "the layer \(layer.descriptor.digest) vanished from the state directory",
                        hint: "build again, and let nobody empty the state directory meanwhile")
                }
                do throws(BuildError) {
                    try await builder.fetch(
                        layer.descriptor, from: repository, watcher: arrival, progress: progress)
                } catch {
                    // What the cache has lost is made again.
                    guard case .cache = layer.origin, error.code == .registry else { throw error }
                    throw BuildError(.cache, error.summary, cause: error.cause)
                }
                isWhole = true
                return .success(layer.descriptor.size)
            } catch {
                return .failure(error)
            }
        }
        let fetch = Fetch(task: task, arrival: arrival)
        fetches[layer.descriptor.digest] = fetch
        return fetch
    }

    /// A layer's blob on its way here; `nil` when it is here already.
    func arrival(of layer: BuiltImage.Layer) -> BlobArrival? {
        guard builder.store.content.size(of: layer.descriptor.digest) != layer.descriptor.size else { return nil }
        return fetch(layer).arrival
    }

    /// Waits until a layer's blob is here.
    func layer(_ layer: BuiltImage.Layer) async throws(BuildError) {
        let task = fetch(layer).task
        waiting[layer.descriptor.digest, default: 0] += 1
        defer { waiting[layer.descriptor.digest, default: 1] -= 1 }
        _ = try await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }.get()
    }

    /// Unpacks a layer, while its blob arrives if it is on its way.
    ///
    /// - Parameter lowers: the directories below, lowest first.
    nonisolated func unpack(
        _ layer: BuiltImage.Layer, as chain: Digest, over lowers: [HostPath], _ scratch: ScratchDirectory
    ) async throws(BuildError) -> HostPath {
        let (store, limit) = (builder.store, builder.unpackLimit)
        try await fetchTimes(of: layer)
        if let arrival = await arrival(of: layer) {
            let early = await withTaskCancellationHandler {
                await runBlocking {
                    try? store.layers.unpack(
                        layer, as: chain, over: lowers, scratch: scratch, content: store.content, limit: limit,
                        arriving: arrival)
                }
            } onCancel: {
                arrival.giveUp()
            }
            // What failed is told by what comes now: by the fetch, or by the whole blob.
            if let early {
                try await self.layer(layer)
                return early
            }
        }
        try await self.layer(layer)
        return try await runBlocking { () throws(BuildError) in
            try store.layers.unpack(
                layer, as: chain, over: lowers, scratch: scratch, content: store.content, limit: limit)
        }
    }

    /// Brings the true times of a layer of the shared cache, which lie beside it there.
    nonisolated private func fetchTimes(of layer: BuiltImage.Layer) async throws(BuildError) {
        guard let times = layer.times, builder.store.content.size(of: times.digest) != times.size,
            let repository = layer.origin.repository
        else { return }
        do throws(BuildError) {
            try await builder.fetch(times, from: repository, watcher: nil, progress: progress)
        } catch {
            throw error.code == .registry ? BuildError(.cache, error.summary, cause: error.cause) : error
        }
    }

    /// Unpacks all layers of an image that are not there. What fails is told to whoever needs them.
    nonisolated func unpack(_ base: BaseImage, _ scratch: ScratchDirectory) async {
        var chain: Digest?
        var paths: [HostPath] = []
        for layer in (try? base.layers()) ?? [] {
            let id = ChainID.next(after: chain, layer)
            chain = id
            guard !Task.isCancelled else { return }
            var path = builder.store.layers.directory(of: id)
            if path == nil { path = try? await unpack(layer, as: id, over: paths, scratch) }
            guard let path else { return }
            paths.append(path)
        }
    }

    /// Tells of an image that is here, once, if any of it had to be fetched.
    func tell(_ base: BaseImage) async throws(BuildError) {
        guard told.insert(base.image.manifestDigest).inserted else { return }
        var bytes: Int64 = 0
        for layer in try base.layers() {
            if let fetch = fetches[layer.descriptor.digest] { bytes += (try? await fetch.task.value.get()) ?? 0 }
        }
        if bytes > 0 { progress(.basePulled(name: base.name, digest: base.image.manifestDigest, bytes: bytes)) }
    }

    /// Stops what was begun ahead, and nobody waits for.
    func cancel() { for (digest, fetch) in fetches where waiting[digest, default: 0] == 0 { fetch.task.cancel() } }
}
