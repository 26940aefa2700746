import Blocking
import ContentStore
import Diagnostics
import OCI
import Registry

/// The step cache that machines share, during one build. Nothing that goes wrong with it fails the build: what cannot be
/// read is done, what cannot be written is left, and either is said once.
actor RemoteStepCache {
    private let cache: RemoteCache
    private let platform: Platform
    private let builder: Builder
    private let uploads: LayerUploads?
    private let progress: @Sendable (BuildEvent) -> Void
    private let slots = UploadSlots(3)
    private var isReadable: Bool
    private var isWritable: Bool
    private var pushes: [Task<Void, Never>] = []
    private var begun: Set<String> = []
    /// Tags that were found there.
    private var found: Set<String> = []

    init?(
        _ request: BuildRequest, _ builder: Builder, uploads: LayerUploads?,
        progress: @escaping @Sendable (BuildEvent) -> Void
    ) {
        guard let cache = request.remoteCache else { return nil }
        self.cache = cache
        self.builder = builder
        self.uploads = uploads
        self.progress = progress
        platform = request.platform
        isReadable = cache.isRead && !request.noCache
        isWritable = cache.isWritten
    }

    nonisolated var repository: RepositoryLocation { cache.repository }

    // MARK: Reading

    /// The layer that some machine made for a key. Its blob stays where it is.
    func layer(for key: StepKey) async -> StepCache.Entry? {
        guard let entry = await entry(key.digest.encoded, key: "\(key.digest)") else { return nil }
        if let age = cache.age?.components.seconds, entry.created <= cache.now - age { return nil }
        found.insert(key.digest.encoded)
        return entry.layer
    }

    /// What the step at a place was made from last.
    func record(at site: StepSite) async -> StepRecord? {
        guard let entry = await entry(site.tag, key: site.tag), isReadable,
            let repository = try? builder.registry.repository(cache.repository),
            let bytes = try? await repository.blob(entry.config, limit: 8 << 20),
            let config = try? CanonicalJSON.decode(ImageConfig.self, from: bytes),
            let text = config.config.labels[CacheEntry.record]
        else { return nil }
        return StepRecord(text: text)
    }

    /// Brings the index of a layer into the store, when the cache has it.
    func fetchIndex(of diffID: Digest) async -> Bool {
        let tag = LayerIndex.tag(of: diffID)
        guard let entry = await entry(tag, key: tag) else { return false }
        do throws(BuildError) {
            let repository = try await builder.explained("cannot read the step cache") { () throws(RegistryError) in
                try builder.registry.repository(cache.repository)
            }
            try await builder.explained("cannot read the step cache") { () async throws(RegistryError) in
                try await repository.fetchBlob(entry.layer.descriptor, into: builder.store.content, progress: nil)
            }
            try builder.store.indexes.remember(entry.layer.descriptor, of: diffID)
            found.insert(tag)
            return true
        } catch {
            giveUpReading(error)
            return false
        }
    }

    private func entry(_ tag: String, key: String) async -> CacheEntry? {
        guard isReadable else { return nil }
        do throws(BuildError) {
            let repository = try await builder.explained("cannot read the step cache") { () throws(RegistryError) in
                try builder.registry.repository(cache.repository)
            }
            let raw = try await builder.explained("cannot read the step cache") { () async throws(RegistryError) in
                try await repository.manifest(.tag(tag))
            }
            guard let raw else { return nil }
            do throws(BuildError) { return try CacheEntry(raw, expecting: key) } catch {
                progress(.note("\(error.summary): \(cache.repository):\(tag): \(error.cause ?? "")"))
                return nil
            }
        } catch {
            giveUpReading(error)
            return nil
        }
    }

    private func giveUpReading(_ error: BuildError) {
        guard isReadable, error.code != .cancelled else { return }
        isReadable = false
        tell("\(cache.repository) is not used for reading", error)
    }

    private func tell(_ summary: String, _ error: BuildError) {
        progress(.note("the step cache \(summary): \(error.summary)" + (error.cause.map { ": \($0)" } ?? "")))
    }

    // MARK: Writing

    /// Pushes a layer that lies in the local store, beside the build.
    ///
    /// - Parameter record: what its key was made of.
    func offer(_ layer: StepCache.Entry, key: StepKey, record: StepRecord?, site: StepSite?, text: String) {
        let tag = key.digest.encoded
        guard !found.contains(tag) else { return }
        let label = record.map(\.text).flatMap { $0.utf8.count <= Self.recordLimit ? $0 : nil }
        start(tag) { [self] in
            await push(layer, tag: tag, key: "\(key.digest)", text: text, record: label, isNew: record != nil)
            if let site, label != nil {
                await push(layer, tag: site.tag, key: site.tag, text: text, record: label, isNew: true)
            }
        }
    }

    /// Pushes the index of a layer that lies in the local store.
    func offerIndex(of layer: BuiltImage.Layer) {
        let tag = LayerIndex.tag(of: layer.diffID)
        guard !found.contains(tag) else { return }
        let (store, content) = (builder.store, builder.store.content)
        start(tag) { [self] in
            guard content.size(of: layer.descriptor.digest) == layer.descriptor.size,
                let index = try? await runBlocking({ () throws(BuildError) in
                    try store.indexes.index(of: layer, content: content)
                })
            else { return }
            let entry = StepCache.Entry(descriptor: index, diffID: layer.diffID)
            await push(entry, tag: tag, key: tag, text: "files of \(layer.diffID)", record: nil, isNew: false)
        }
    }

    /// Configurations may be large, but nobody expects it of them.
    private static let recordLimit = 1 << 20

    private func start(_ tag: String, _ work: @escaping @Sendable () async -> Void) {
        guard isWritable, begun.insert(tag).inserted else { return }
        let slots = slots
        pushes.append(
            Task {
                await slots.acquire()
                if !Task.isCancelled { await work() }
                await slots.release()
            })
    }

    private func push(
        _ layer: StepCache.Entry, tag: String, key: String, text: String, record: String?, isNew: Bool
    ) async {
        guard isWritable else { return }
        let builder = builder
        do throws(BuildError) {
            let repository = try await builder.explained("cannot write") { () throws(RegistryError) in
                try builder.registry.repository(cache.repository)
            }
            if !isNew {
                let known = try await builder.explained("cannot write") { () async throws(RegistryError) in
                    try await repository.digest(ofTag: tag)
                }
                if known != nil { return }
            }
            let made: (manifest: [UInt8], config: [UInt8])
            do throws(OCIError) {
                made = try CacheEntry.write(
                    layer, key: key, created: cache.now, platform: platform, text: text, record: record)
            } catch {
                throw BuildError(.cache, "cannot write", from: error)
            }
            let content = builder.store.content
            try await runBlocking { () throws(BuildError) in
                try builder.storing { () throws(ContentStoreError) in _ = try content.add(made.config) }
            }
            // What goes to the destination anyway is not sent twice.
            let sources = await uploads?.settled(layer.descriptor.digest) ?? []
            try await builder.explained("cannot write") { () async throws(RegistryError) in
                _ = try await repository.pushBlob(
                    layer.descriptor, from: content, mountFrom: sources, progress: nil)
                if let times = layer.times {
                    _ = try await repository.pushBlob(times, from: content, mountFrom: [], progress: nil)
                }
                _ = try await repository.pushBlob(
                    Descriptor(mediaType: .ociConfig, of: made.config), from: content, mountFrom: [], progress: nil)
                _ = try await repository.pushManifest(made.manifest, mediaType: .ociManifest, tag: tag)
            }
        } catch {
            guard isWritable, error.code != .cancelled else { return }
            isWritable = false
            tell("\(cache.repository) is not written to", error)
        }
    }

    /// Waits until everything is there that was offered.
    func finish() async {
        let pushes = pushes
        await withTaskCancellationHandler {
            for push in pushes { await push.value }
        } onCancel: {
            for push in pushes { push.cancel() }
        }
    }
}
