import Archive
import ContentStore
import FileSystem
import Glibc
import OCI

/// Layers as directories for overlays, under the names of their chain ids. A directory that is there is whole: it was
/// made elsewhere and renamed.
struct LayerDirectories: Sendable {
    let folder: HostPath
    let ownership: OwnershipMode
    /// Keeps what is asked for from being removed meanwhile.
    let use: RecentUse

    /// Short names, because the kernel takes only a page of mount options.
    private func entry(_ chain: Digest) -> HostPath { folder.appending(String(chain.encoded.prefix(32))) }

    func directory(of chain: Digest) -> HostPath? { files(in: entry(chain)) }

    /// What a layer's directory takes of the disk, in bytes. It is counted once, as it never changes; that is noted in the file that
    /// is there already, because a new one would be a use of the layer.
    func size(of entry: HostPath) -> Int64 {
        guard let note = Note(in: entry) else { return DiskUse.bytes(of: entry) }
        if let known = note.diskUse { return known }
        let bytes = DiskUse.bytes(of: entry)
        let file = open(entry.appending("size").text, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { return bytes }
        defer { close(file) }
        let text = " \(bytes)"
        _ = text.withCString { write(file, $0, text.utf8.count) }
        return bytes
    }

    private func files(in entry: HostPath) -> HostPath? {
        let path = entry.appending("fs")
        guard Note(in: entry)?.boot == Self.boot, (try? Node.read(path, .apply))?.kind == .directory,
            use.mark(entry.text)
        else { return nil }
        return path
    }

    /// What is known of an entry.
    private struct Note {
        let size: Int64
        /// The kernel's name for the time since the machine started.
        let boot: Substring
        /// In bytes, once it was counted.
        let diskUse: Int64?

        init?(in entry: HostPath) {
            guard let bytes = try? FileContent.read(entry.appending("size"), limit: 128) else { return nil }
            let words = String(decoding: bytes, as: UTF8.self).split(separator: " ")
            guard let first = words.first, let size = Int64(first) else { return nil }
            self.size = size
            boot = words.count > 1 ? words[1] : ""
            diskUse = words.count > 2 ? Int64(words[2]) : nil
        }
    }

    /// Nothing here is written to the disk before it is used: the layers' blobs are, from which it can be made again. After a
    /// machine stopped in the middle of things files may be empty that were full, so what is from before is not used.
    private static let boot: Substring = {
        let bytes = try? FileContent.read(HostPath("/proc/sys/kernel/random/boot_id"), limit: 128)
        return String(decoding: bytes ?? [], as: UTF8.self).split(whereSeparator: \.isWhitespace).first ?? ""
    }()

    private func note(_ size: Int64, in entry: HostPath) throws(BuildError) {
        let path = entry.appending("size")
        let file = try FileContent.create(path)
        let text = Array("\(size) \(Self.boot)".utf8)
        let outcome: Result<Void, BuildError> = text.withUnsafeBytes { bytes in
            Result { () throws(BuildError) in try FileContent.write(bytes, to: file.raw, path) }
        }
        try outcome.get()
    }

    /// Gives a whole entry its name. Whoever comes second leaves the first one's.
    ///
    /// - Parameter isLocked: the caller holds the entry's lock.
    private func put(
        _ made: HostPath, at entry: HostPath, scratch: ScratchDirectory, isLocked: Bool = false, _ failure: String
    ) throws(BuildError) {
        if Self.rename(made, to: entry) || files(in: entry) != nil { return }
        // What stands there is from before the machine started, and nobody uses it.
        let lock = isLocked ? nil : try self.lock(entry)
        defer { if let lock { close(lock) } }
        if files(in: entry) != nil { return }
        let old = try newEntry("old", in: scratch)
        if Self.rename(entry, to: old), Self.rename(made, to: entry) { return }
        throw entry.failure(failure)
    }

    /// A directory that becomes an entry, or what was one.
    private func newEntry(_ purpose: String, in scratch: ScratchDirectory) throws(BuildError) -> HostPath {
        let name = purpose + "-" + String(UInt64.random(in: .min ... .max), radix: 36)
        return try scratch.makeDirectory(name, mode: 0o700)
    }

    private static func rename(_ path: HostPath, to place: HostPath) -> Bool {
        path.withCString { from in place.withCString { Glibc.rename(from, $0) } } == 0
    }

    private func lock(_ entry: HostPath, isAwaited: Bool = true) throws(BuildError) -> Int32 {
        let path = HostPath(entry.text + ".lock")
        guard let lock = FileLock.hold(path, blocking: isAwaited) else { throw path.failure("lock the file") }
        return lock
    }

    /// Unpacks a layer's blob from the store. Builds that want the same one wait for each other.
    ///
    /// - Parameters:
    ///   - lowers: the directories below, lowest first: hard links may point into them.
    ///   - arrival: the blob, when it is not in the store yet. Then nobody is waited for: another build that does the same
    ///     may wait for a registry.
    func unpack(
        _ layer: BuiltImage.Layer, as chain: Digest, over lowers: [HostPath], scratch: ScratchDirectory,
        content: ContentStore, limit: UnpackLimit, arriving arrival: BlobArrival? = nil
    ) throws(BuildError) -> HostPath {
        let place = entry(chain)
        let lock = try lock(place, isAwaited: arrival == nil)
        defer { close(lock) }
        if let present = directory(of: chain) { return present }
        let made = try newEntry("unpack", in: scratch)
        let target = made.appending("fs")
        try FileCalls.makeDirectory(target)
        let told = try layer.times.map { (times) throws(BuildError) in try LayerTimes.read(times, from: content) }
        let diff = arrival.map { DiffSource(of: layer, arriving: $0, limit: limit) }
        let (diffID, size) = try extract(
            layer, diff ?? DiffSource(of: layer, in: content, limit: limit), into: target, over: lowers, limit,
            times: told?.times)
        if let told, !told.bytecode.isEmpty, let directory = try? Directory(path: target.text) {
            BytecodeTimes.restore(told.bytecode, in: directory)
        }
        guard diffID == layer.diffID else { throw layer.mismatch(diffID) }
        try note(size, in: made)
        try put(made, at: place, scratch: scratch, isLocked: true, "move the unpacked layer")
        return place.appending("fs")
    }

    // MARK: Skeletons

    private func skeletonEntry(_ chain: Digest) -> HostPath { folder.appending("t" + chain.encoded.prefix(31)) }

    /// A layer's directory whose files are empty: what its index tells.
    func skeleton(of chain: Digest) -> HostPath? { files(in: skeletonEntry(chain)) }

    /// Makes a directory of a layer's index.
    ///
    /// - Parameter lowers: the directories below, lowest first, which may be skeletons too.
    func makeSkeleton(
        of index: Descriptor, for layer: BuiltImage.Layer, as chain: Digest, over lowers: [HostPath],
        scratch: ScratchDirectory, content: ContentStore, limit: UnpackLimit
    ) throws(BuildError) -> HostPath {
        let made = try newEntry("tree", in: scratch)
        let target = made.appending("fs")
        try FileCalls.makeDirectory(target)
        let shown = BuiltImage.Layer(
            descriptor: index, diffID: layer.diffID, origin: layer.origin, createdBy: layer.createdBy)
        let (_, size) = try extract(
            shown, DiffSource(of: shown, in: content, limit: limit), into: target, over: lowers, limit)
        try note(size, in: made)
        let place = skeletonEntry(chain)
        try put(made, at: place, scratch: scratch, "move the layer's tree")
        return place.appending("fs")
    }

    /// Takes over the directory that a layer was made from.
    ///
    /// - Parameter size: of its files, in bytes.
    func keep(
        _ upper: HostPath, as chain: Digest, size: Int64, scratch: ScratchDirectory
    ) throws(BuildError) {
        let made = try newEntry("keep", in: scratch)
        try FileCalls.move(upper, to: made.appending("fs"))
        try note(size, in: made)
        try put(made, at: entry(chain), scratch: scratch, "keep the layer")
    }

    private func extract(
        _ layer: BuiltImage.Layer, _ diff: DiffSource, into target: HostPath, over lowers: [HostPath],
        _ limit: UnpackLimit, times: [TarEntry.Time]? = nil
    ) throws(BuildError) -> (diffID: Digest, size: Int64) {
        do {
            var lowerFolders: [Directory] = []
            for lower in lowers { lowerFolders.append(try Directory(path: lower.text)) }
            _ = try LayerExtractor.extract(
                diff, into: try Directory(path: target.text), mode: .overlay,
                ownership: ownership == .apply ? .apply : .record, lowers: lowerFolders.reversed(), times: times,
                limits: ExtractionLimits(bytes: layer.unpackLimit(limit)))
            return try diff.finish()
        } catch let error as ArchiveError {
            throw BuildError(layer.errorCode, "cannot unpack the layer \(layer.descriptor.digest)", from: error)
        } catch let error as FileSystemError {
            throw BuildError(.storage, "cannot unpack the layer \(layer.descriptor.digest)", from: error)
        } catch {
            throw BuildError(.storage, "cannot unpack the layer \(layer.descriptor.digest)", cause: "\(error)")
        }
    }
}

extension BuiltImage.Layer {
    /// What a layer's fault is a fault of.
    var errorCode: BuildError.Code { if case .cache = origin { .cache } else { .baseImage } }

    /// What was built here may have shrunk as much as it likes.
    func unpackLimit(_ limit: UnpackLimit) -> Int64 {
        if case .built = origin { return .max }
        return limit.bytes(ofSize: descriptor.size)
    }

    func mismatch(_ found: Digest) -> BuildError {
        BuildError(
            errorCode, "the layer \(descriptor.digest) is not the one that the image's configuration names",
            cause: "its content is \(found), not \(diffID)")
    }
}
