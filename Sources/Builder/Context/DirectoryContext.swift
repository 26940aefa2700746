import Blocking
import CLinux
import FileSystem
import Glibc
import OCI

/// A directory as a context. Links are listed, never followed; what lies outside is out of reach.
package struct DirectoryContext: BuildContext {
    private let path: HostPath
    private let root: DirectoryDescriptor
    private let index: ContextIndex?
    private let isUnpacked: Bool
    package var displayName: String { path.text }

    /// - Parameter stateDirectory: where it is remembered what the files held, so that those that did not change need not
    ///   be read again to know; `nil` remembers nothing.
    package init(path: String, stateDirectory: String? = nil) throws(BuildError) {
        try self.init(path: path, stateDirectory: stateDirectory, isUnpacked: false)
    }

    /// A directory into which an archive was unpacked.
    init(unpacked path: String) throws(BuildError) {
        try self.init(path: path, stateDirectory: nil, isUnpacked: true)
    }

    private init(path: String, stateDirectory: String?, isUnpacked: Bool) throws(BuildError) {
        self.path = HostPath(path)
        self.isUnpacked = isUnpacked
        let descriptor = self.path.withCString { linux_openat(AT_FDCWD, $0, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) }
        guard descriptor >= 0 else {
            throw BuildError(
                .context, "the build context is not a directory", place: path,
                hint: "name an existing directory as the context")
        }
        root = DirectoryDescriptor(owning: descriptor)
        guard let stateDirectory else {
            index = nil
            return
        }
        let folder: String
        do throws(StateDirectoryError) { folder = try StateDirectory(stateDirectory).folder("contexts") } catch {
            throw BuildError(.storage, from: error)
        }
        index = ContextIndex(folder: folder, context: path)
    }

    package func entries(under folder: String) async throws(BuildError) -> [ContextEntry] {
        try await ContextTree(self, folder: folder).entries
    }

    package func listing(under folder: String) async throws(BuildError) -> ContextListing {
        let start = ImagePath(folder)
        let host = try await runBlocking { () throws(BuildError) in try place(of: start) }
        return try await DirectoryListing(index: index, isUnpacked: isUnpacked).listing(below: host, start)
    }

    /// Where a folder of the context is, no name on the way being a link.
    private func place(of folder: ImagePath) throws(BuildError) -> HostPath {
        var host = path
        for name in folder.components {
            host = host.appending(name)
            guard let node = try Node.read(host, .apply), node.kind == .directory else {
                throw BuildError(
                    .context, "there is no folder \(folder.text.dropFirst()) in the context", place: path.text)
            }
        }
        return host
    }

    package func read(
        _ entry: ContextEntry, _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError) {
        try stream(entry, sink)
    }

    /// As `read`, for who is on a thread that may block.
    func stream(
        _ entry: ContextEntry, _ sink: (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) throws(BuildError) {
        try FileContent.stream(try open(entry), place(of: entry), sink)
    }

    func place(of entry: ContextEntry) -> HostPath { path.appending(entry.pathBytes) }

    /// Opens a file below the context. Nothing on the way may have become a link since it was listed.
    func open(_ entry: ContextEntry) throws(BuildError) -> FileContent.Descriptor {
        let host = place(of: entry)
        let flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC
        let descriptor = HostPath(bytes: entry.pathBytes).withCString { name in
            linux_openat2(root.raw, name, flags, 0, UInt64(linux_resolve_beneath | linux_resolve_no_symlinks))
        }
        if descriptor >= 0 { return FileContent.Descriptor(raw: descriptor) }
        switch errno {
        case ELOOP, EXDEV, ENOENT, ENOTDIR:
            throw BuildError(.context, "the context changed while it was read", place: host.text)
        case ENOSYS, EPERM: return try openByName(entry)
        default: return try FileContent.open(host)
        }
    }

    /// For kernels, and sandboxes, without openat2.
    private func openByName(_ entry: ContextEntry) throws(BuildError) -> FileContent.Descriptor {
        let names = ImagePath.split(entry.pathBytes)
        guard !names.contains([0x2e, 0x2e]) else {
            throw BuildError(.context, "the path leads out of the context", place: entry.path)
        }
        var host = path
        for name in names.dropLast() {
            host = host.appending(name)
            guard try Node.read(host, .apply)?.kind == .directory else {
                throw BuildError(.context, "the context changed while it was read", place: host.text)
            }
        }
        return try FileContent.open(path.appending(ImagePath(components: names)))
    }

    // MARK: Content

    package func contentIDs(of entries: [ContextEntry]) async throws(BuildError) -> [String] {
        let found = try await identify(entries)
        await save()
        return found
    }

    package func contentIDs(of files: ContextFiles) async throws(BuildError) -> ContentIDs {
        var found = ContentIDs()
        for part in files.parts { for id in try await identify(part) { found.append(id) } }
        await save()
        return found
    }

    private func save() async {
        if let index { await runBlocking { index.save() } }
    }

    /// Reads the files that are not known yet, on all processors: the large ones one after the other in pieces, then the others side by side.
    private func identify(_ entries: [ContextEntry]) async throws(BuildError) -> [String] {
        var entries = entries
        for place in entries.indices where Self.isLarge(entries[place]) {
            entries[place].contentID = try await large(entries[place])
        }
        return try await mapBlocking(entries, share: 16) { (entry) throws(BuildError) in try hash(entry) }
    }

    private static func isLarge(_ entry: ContextEntry) -> Bool {
        entry.kind == .file && entry.contentID == nil && entry.size > 2 * ContentIdentity.pieceSize
    }

    private func large(_ entry: ContextEntry) async throws(BuildError) -> String? {
        let start = Self.now
        guard let found = try await LargeFileHash(context: self, entry: entry).find() else { return nil }
        remember(found.digest, of: entry, found.state, readAt: start)
        return ContentIdentity.name(found.digest, size: found.state.size)
    }

    private func hash(_ entry: ContextEntry) throws(BuildError) -> String {
        if let known = entry.contentID { return known }
        let host = place(of: entry)
        let file = try open(entry)
        let start = Self.now
        let node = try Node.read(file.raw, host)
        var hasher = ContentIdentityHasher()
        try FileContent.stream(file, host) { hasher.update($0) }
        let size = hasher.size
        let digest = hasher.finalize()
        // One that grew meanwhile is not what the kernel said of it.
        if let node, node.size == size { remember(digest, of: entry, ContextIndex.State(node), readAt: start) }
        return ContentIdentity.name(digest, size: size)
    }

    private func remember(
        _ digest: [UInt8], of entry: ContextEntry, _ state: ContextIndex.State, readAt start: Timestamp
    ) {
        index?.remember(
            ContextIndex.Record(digest: digest, hasAttributes: !entry.attributes.isEmpty), for: state, readAt: start)
    }

    private static var now: Timestamp {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Timestamp(seconds: Int64(now.tv_sec), nanoseconds: Int64(now.tv_nsec))
    }
}

/// An open directory, closed when nobody needs it any more.
private final class DirectoryDescriptor: Sendable {
    let raw: Int32

    init(owning raw: Int32) { self.raw = raw }

    deinit { close(raw) }
}
