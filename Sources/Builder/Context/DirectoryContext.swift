import Blocking
import CLinux
import Glibc
import OCI
import Synchronization

/// A directory as a context. Links are listed, never followed; what lies outside is out of reach.
package struct DirectoryContext: BuildContext {
    private let path: HostPath
    private let root: DirectoryDescriptor
    private let index: ContextIndex?
    package var displayName: String { path.text }

    /// - Parameter stateDirectory: where it is remembered what the files held, so that those that did not change need not
    ///   be read again to know; `nil` remembers nothing.
    package init(path: String, stateDirectory: String? = nil) throws(BuildError) {
        self.path = HostPath(path)
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
        let folder = stateDirectory + "/contexts"
        try FileCalls.makeDirectories(folder)
        index = ContextIndex(folder: folder, context: path)
    }

    package func entries(under folder: String) async throws(BuildError) -> [ContextEntry] {
        try await runBlocking { () throws(BuildError) in try list(under: folder) }
    }

    private func list(under folder: String) throws(BuildError) -> [ContextEntry] {
        let start = ImagePath(folder)
        var host = path
        for name in start.components {
            host = host.appending(name)
            guard let node = try Node.read(host, .apply), node.kind == .directory else {
                throw BuildError(.context, "there is no folder \(folder) in the context", place: path.text)
            }
        }
        var found: [ContextEntry] = []
        try list(host, start.joined, into: &found)
        return found
    }

    private func list(_ directory: HostPath, _ prefix: [UInt8], into found: inout [ContextEntry]) throws(BuildError) {
        for name in try FileCalls.names(in: directory) {
            let host = directory.appending(name)
            let relative = prefix.isEmpty ? name : prefix + [0x2f] + name
            guard let node = try Node.read(host, .apply) else { continue }
            let kind: ContextEntry.Kind
            switch node.kind {
            case .file: kind = .file
            case .directory: kind = .directory
            case .symlink: kind = .symlink(target: try FileCalls.target(ofLink: host))
            case .fifo: kind = .fifo
            case .socket: kind = .socket
            case .characterDevice, .blockDevice:
                kind = .unavailable(reason: "it is a device node", hint: "exclude it by .dockerignore")
            }
            var entry = ContextEntry(
                pathBytes: relative, kind: kind, mode: node.mode, size: node.size, modified: node.modified.seconds)
            if node.kind == .file, let known = index?.record(for: ContextIndex.State(node)) {
                entry.contentID = Self.contentID(known.digest)
                if known.hasAttributes { entry.attributes = try FileCalls.attributes(of: host) }
            } else if node.kind == .file || node.kind == .directory {
                entry.attributes = try FileCalls.attributes(of: host)
            }
            if node.kind != .directory, node.links > 1 {
                entry.linkIdentity = ContextEntry.LinkIdentity(device: node.device, inode: node.inode)
            }
            found.append(entry)
            if node.kind == .directory { try list(host, relative, into: &found) }
        }
    }

    private static func contentID(_ digest: [UInt8]) -> String { "blake2b:" + hexadecimal(digest) }

    package func read(
        _ entry: ContextEntry, _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError) {
        try FileContent.stream(try open(entry), path.appending(entry.pathBytes), sink)
    }

    /// Opens a file below the context. Nothing on the way may have become a link since it was listed.
    private func open(_ entry: ContextEntry) throws(BuildError) -> FileContent.Descriptor {
        let host = path.appending(entry.pathBytes)
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

    /// Reads the files that are not known yet, on all processors.
    package func contentIDs(of entries: [ContextEntry]) async throws(BuildError) -> [String] {
        let work = HashWork(entries.count)
        let width = min(ProcessorCount.value, max(1, entries.count / 16 + 1))
        let result = await withTaskGroup(of: Result<Void, BuildError>.self) { group in
            for _ in 0..<width {
                group.addTask {
                    do throws(BuildError) {
                        try await runBlocking { () throws(BuildError) in
                            while let next = work.next() { work.finish(next, try hash(entries[next])) }
                        }
                        return .success(())
                    } catch {
                        work.stop()
                        return .failure(error)
                    }
                }
            }
            var first: Result<Void, BuildError> = .success(())
            for await outcome in group { if case .success = first { first = outcome } }
            return first
        }
        try result.get()
        if let index { await runBlocking { index.save() } }
        return work.results
    }

    private func hash(_ entry: ContextEntry) throws(BuildError) -> String {
        if let known = entry.contentID { return known }
        let host = path.appending(entry.pathBytes)
        let file = try open(entry)
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let node = try Node.read(file.raw, host)
        var hasher = ContentHasher()
        try FileContent.stream(file, host) { hasher.update($0) }
        let digest = hasher.finalize()
        if let index, let node {
            index.remember(
                ContextIndex.Record(digest: digest, hasAttributes: !entry.attributes.isEmpty),
                for: ContextIndex.State(node),
                readAt: Timestamp(seconds: Int64(now.tv_sec), nanoseconds: Int64(now.tv_nsec)))
        }
        return Self.contentID(digest)
    }
}

/// A list of things to do, taken by several threads.
private final class HashWork: Sendable {
    private struct State: Sendable {
        var position = 0
        var results: [String]
    }

    private let state: Mutex<State>
    private let count: Int

    init(_ count: Int) {
        self.count = count
        state = Mutex(State(results: Array(repeating: "", count: count)))
    }

    func next() -> Int? {
        state.withLock { state in
            guard state.position < count else { return nil }
            defer { state.position += 1 }
            return state.position
        }
    }

    func finish(_ index: Int, _ result: String) { state.withLock { $0.results[index] = result } }

    func stop() { state.withLock { $0.position = count } }

    var results: [String] { state.withLock(\.results) }
}

/// An open directory, closed when nobody needs it any more.
private final class DirectoryDescriptor: Sendable {
    let raw: Int32

    init(owning raw: Int32) { self.raw = raw }

    deinit { close(raw) }
}
