import Archive
import ContentStore
import OCI

/// Turns a directory in overlay format into a layer: a tar in a fixed order, hashed, compressed and hashed again on its
/// way into the store. Nothing of it is held in memory.
struct LayerWriter {
    /// The layer tells no time that is newer, in seconds since 1970; `nil`: it tells them all, as far as a tar does, in whole seconds.
    /// The files themselves keep their times.
    let limit: Int64?
    let ownership: OwnershipMode
    /// The directories of the layers below that tell such times as well, the uppermost first.
    var lowers: [HostPath] = []
    var compression = BuildRequest.LayerCompression.gzip(level: nil)

    /// - Parameter deferred: files whose content is brought now.
    func write(
        _ upper: HostPath, _ deferred: DeferredFiles? = nil, to store: ContentStore
    ) throws(BuildError) -> (layer: StepCache.Entry, size: Int64) {
        do {
            let blob = BlobSink(store)
            let diff = DiffSink(try LayerCompressor(blob, compression))
            var tar = TarWriter(diff)
            var times = LayerTimes()
            try append(upper, deferred, to: &tar, &times)
            try tar.finish()
            let diffID = diff.diffID()
            let (digest, size) = try blob.commit()
            let layer = StepCache.Entry(
                descriptor: Descriptor(mediaType: compression.mediaType, digest: digest, size: size), diffID: diffID,
                times: try times.keep(in: store.unwatched))
            return (layer, diff.count)
        } catch let error as BuildError {
            throw error
        } catch let error as ArchiveError {
            throw BuildError(.storage, "cannot write the layer", from: error)
        } catch let error as ContentStoreError {
            throw BuildError(.storage, "cannot write the layer", from: error)
        } catch {
            throw BuildError(.storage, "cannot write the layer", cause: "\(error)")
        }
    }

    private func append(
        _ upper: HostPath, _ deferred: DeferredFiles?, to tar: inout TarWriter<DiffSink>, _ times: inout LayerTimes
    ) throws {
        var firstNames: [FileIdentity: [UInt8]] = [:]
        var entries = LayerEntries(upper, ownership)
        let bytecode = limit.map { BytecodeTimes(limit: $0, layers: [upper] + lowers) }
        while let item = try entries.item() {
            switch item {
            case .opaque(let path, let modified):
                try tar.append(mark(path + Array("/.wh..wh..opq".utf8), modified))
            case .entry(var entry):
                let rewritten = try bytecode?.rewritten(entry)
                if let rewritten {
                    times.append(bytecode: entry.path, own: rewritten.own)
                    // Compiled files are small: no more than their program.
                    var content = try entry.content ?? FileContent.read(entry.host, expecting: Int(entry.node.size))
                    content.replaceSubrange(BytecodeTimes.place, with: rewritten.told)
                    entry.content = content
                }
                try append(entry, deferred, to: &tar, &times, &firstNames)
            }
        }
    }

    private func append(
        _ found: LayerEntries.Entry, _ deferred: DeferredFiles?, to tar: inout TarWriter<DiffSink>,
        _ times: inout LayerTimes, _ firstNames: inout [FileIdentity: [UInt8]]
    ) throws {
        let (node, path, name) = (found.node, found.path, found.name)
        if node.kind == .socket { return }
        guard !name.starts(with: LayerMarks.prefix) else { throw LayerMarks.refusal(of: path) }
        if node.isWhiteout {
            return try tar.append(mark(path.dropLast(name.count) + LayerMarks.prefix + name, node.modified))
        }
        var entry = TarEntry(name: path, kind: kind(of: node), mode: node.mode)
        entry.uid = node.uid
        entry.gid = node.gid
        entry.modified = told(node.modified)
        times.append(node.modified, told: entry.modified.seconds)
        if node.links > 1, node.kind != .directory {
            let identity = FileIdentity(node)
            if let first = firstNames[identity] {
                entry.kind = .hardLink
                entry.linkName = first
                return try tar.append(entry)
            }
            firstNames[identity] = path
        }
        entry.xattrs = found.attributes
        switch node.kind {
        case .symlink: entry.linkName = found.target
        case .characterDevice, .blockDevice:
            entry.major = node.major
            entry.minor = node.minor
        case .file: entry.size = node.size
        case .directory, .fifo, .socket: break
        }
        try tar.append(entry)
        if node.kind == .file, node.size > 0 { try append(contentOf: found, deferred?.take(node), to: &tar) }
    }

    private func append(
        contentOf found: LayerEntries.Entry, _ deferred: DeferredFile?, to tar: inout TarWriter<DiffSink>
    ) throws {
        func write(_ bytes: UnsafeRawBufferPointer) throws(BuildError) {
            do throws(ArchiveError) { try tar.write(bytes) } catch {
                throw BuildError(.storage, "cannot write the layer", from: error)
            }
        }
        if let deferred { return try deferred.stream(write) }
        if let content = found.content {
            return try content.withUnsafeBytes { bytes in
                Result { () throws(BuildError) in try write(bytes) }
            }.get()
        }
        try FileContent.stream(found.host, write)
    }

    private func told(_ time: Timestamp) -> TarEntry.Time {
        TarEntry.Time(seconds: min(time.seconds, limit ?? .max))
    }

    private func mark(_ name: [UInt8], _ time: Timestamp) -> TarEntry {
        TarEntry(name: name, kind: .file, modified: told(time))
    }

    private func kind(of node: Node) -> TarEntry.Kind {
        switch node.kind {
        case .file, .socket: .file
        case .directory: .directory
        case .symlink: .symlink
        case .characterDevice: .characterDevice
        case .blockDevice: .blockDevice
        case .fifo: .fifo
        }
    }
}

/// Hashes the uncompressed tar on its way to the compressor.
final class DiffSink: ByteSink {
    private var hasher: SHA256Hasher? = SHA256Hasher()
    private(set) var count: Int64 = 0
    private var next: LayerCompressor

    init(_ next: consuming LayerCompressor) { self.next = next }

    func write(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
        hasher?.update(bytes)
        count += Int64(bytes.count)
        try next.write(bytes)
    }

    func finish() throws(ArchiveError) { try next.finish() }

    func diffID() -> Digest {
        guard let hasher = hasher.take() else { preconditionFailure("a layer is finished once") }
        return hasher.finalize()
    }
}
