import Blocking
import Glibc
import Synchronization

extension Builder {
    /// Bytes that an archive of a context may have, as it is transferred.
    package static let contextArchiveLimit: Int64 = 32 << 30

    /// The files of a tar archive, plain or compressed with gzip, bzip2, xz or zstd, as a context.
    ///
    /// They are unpacked into the state directory and removed with the last user of the context. Names are clamped to that
    /// directory, and what a compressed archive may unpack to is bounded by its size.
    package func context(ofArchive path: String) async throws(BuildError) -> any BuildContext {
        let scratch = try ScratchDirectory(in: store.buildsFolder)
        return try await unpacked(HostPath(path), named: path, in: scratch)
    }

    /// The same for an archive that comes from elsewhere: `fill` writes its bytes to the intake, in order.
    ///
    /// - Parameter name: what messages call it, without secrets.
    package func context(
        ofArchive name: String, limit: Int64 = Builder.contextArchiveLimit,
        filledBy fill: (ArchiveIntake) async throws(BuildError) -> Void
    ) async throws(BuildError) -> any BuildContext {
        let scratch = try ScratchDirectory(in: store.buildsFolder)
        let file = scratch.path.appending("archive")
        let intake = try ArchiveIntake(file, name: name, limit: limit)
        try await fill(intake)
        guard intake.close() > 0 else {
            throw BuildError(
                .context, "the build context is empty", place: name, cause: "no byte of an archive came",
                hint: "give a tar archive, plain or compressed")
        }
        let context = try await unpacked(file, named: name, in: scratch)
        file.withCString { _ = unlink($0) }
        return context
    }

    private func unpacked(
        _ file: HostPath, named name: String, in scratch: ScratchDirectory
    ) async throws(BuildError) -> any BuildContext {
        let (ownership, limit) = (store.ownership, unpackLimit)
        return try await runBlocking { () throws(BuildError) -> any BuildContext in
            let upper = try scratch.makeDirectory("context")
            do throws(BuildError) {
                var editor = try LayerEditor(over: LayeredRoot(layers: [], ownership: ownership), upper: upper)
                let root = LayeredRoot.Folder(path: .root, hosts: [upper], node: .emptyRoot)
                // Directories that the archive does not list have no time of their own.
                try ArchiveUnpacker(owner: (0, 0), made: Timestamp(seconds: 0), limit: limit).unpack(
                    file, into: root, &editor)
                try editor.finish()
            } catch {
                throw BuildError(
                    .context, "cannot unpack the build context", place: name,
                    cause: [error.summary, error.cause].compactMap { $0 }.joined(separator: ": "),
                    hint: error.hint ?? "it must be a tar archive, plain or compressed with gzip, bzip2, xz or zstd")
            }
            return ArchiveContext(
                files: try DirectoryContext(unpacked: upper.text), scratch: scratch, displayName: name)
        }
    }
}

/// Where the bytes of an archive go until it is whole. May be written to from any thread, one after the other.
package final class ArchiveIntake: Sendable {
    private struct State: Sendable {
        var descriptor: Int32
        var count: Int64 = 0
    }

    private let state: Mutex<State>
    private let path: HostPath
    private let name: String
    private let limit: Int64

    fileprivate init(_ path: HostPath, name: String, limit: Int64) throws(BuildError) {
        self.path = path
        self.name = name
        self.limit = limit
        let descriptor = path.withCString { open($0, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600) }
        guard descriptor >= 0 else { throw path.failure("make the file") }
        state = Mutex(State(descriptor: descriptor))
    }

    /// Blocks while the disk does.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(BuildError) {
        let (path, name, limit) = (path, name, limit)
        let piece = [UInt8](bytes)
        try state.withLock { (state) throws(BuildError) in
            state.count += Int64(piece.count)
            guard state.count <= limit else {
                throw BuildError(
                    .context, "the build context is larger than \(limit) bytes", place: name,
                    hint: "leave out of the archive what the build does not need")
            }
            var rest = piece[...]
            while !rest.isEmpty {
                let descriptor = state.descriptor
                let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
                if count < 0 {
                    if errno == EINTR { continue }
                    throw path.failure("write the file")
                }
                rest = rest.dropFirst(count)
            }
        }
    }

    /// - Returns: how many bytes there are.
    fileprivate func close() -> Int64 {
        state.withLock { state in
            if state.descriptor >= 0 { Glibc.close(state.descriptor) }
            state.descriptor = -1
            return state.count
        }
    }

    deinit { _ = close() }
}

/// An unpacked archive; its directory goes with it.
private struct ArchiveContext: BuildContext {
    let files: DirectoryContext
    let scratch: ScratchDirectory
    let displayName: String

    func entries(under folder: String) async throws(BuildError) -> [ContextEntry] {
        try await files.entries(under: folder)
    }

    func listing(under folder: String) async throws(BuildError) -> ContextListing {
        try await files.listing(under: folder)
    }

    func contentIDs(of entries: [ContextEntry]) async throws(BuildError) -> [String] {
        try await files.contentIDs(of: entries)
    }

    func read(
        _ entry: ContextEntry, _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError) {
        try await files.read(entry, sink)
    }
}
