import Archive
import ContentStore
import Glibc
import OCI

/// A tar of an image on its way to a file, which appears when it is whole, or to standard output. All calls block.
struct ImageArchive {
    private let content: ContentStore

    init(_ content: ContentStore) { self.content = content }

    func write(to path: String, _ body: (inout Entries) throws -> Void) throws(BuildError) {
        let isStandardOutput = path == "-"
        let temporary = "\(path).\(String(UInt64.random(in: .min ... .max), radix: 36)).tmp"
        let descriptor =
            isStandardOutput
            ? dup(STDOUT_FILENO) : open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw HostPath(path).failure("write the archive") }
        var isOpen = true
        defer { if isOpen { close(descriptor) } }
        do {
            var entries = Entries(content, descriptor, place: isStandardOutput ? "standard output" : path)
            try body(&entries)
            try entries.finish()
            if isStandardOutput { return }
            guard fsync(descriptor) == 0 || errno == EINVAL else { throw HostPath(path).failure("write the archive") }
            isOpen = false
            guard close(descriptor) == 0, rename(temporary, path) == 0 else {
                throw HostPath(path).failure("write the archive")
            }
        } catch {
            if !isStandardOutput { unlink(temporary) }
            throw Self.explained(error, path)
        }
    }

    private static func explained(_ error: any Error, _ path: String) -> BuildError {
        switch error {
        case let error as BuildError: error
        case let error as ArchiveError: BuildError(.storage, "cannot write the archive", place: path, from: error)
        case let error as ContentStoreError: BuildError(.storage, "cannot write the archive", place: path, from: error)
        case let error as OCIError: BuildError(.storage, "cannot write the archive", place: path, from: error)
        default: BuildError(.storage, "cannot write the archive", place: path, cause: "\(error)")
        }
    }

    /// The archive's entries: files without times, owned by root.
    struct Entries: ~Copyable {
        private let content: ContentStore
        private var tar: TarWriter<DescriptorSink>

        fileprivate init(_ content: ContentStore, _ descriptor: Int32, place: String) {
            self.content = content
            tar = TarWriter(DescriptorSink(descriptor: descriptor, place: place))
        }

        mutating func add(_ name: String, _ bytes: [UInt8]) throws {
            try begin(name, size: Int64(bytes.count))
            let outcome: Result<Void, ArchiveError> = bytes.withUnsafeBytes { buffer in
                Result { () throws(ArchiveError) in if !buffer.isEmpty { try tar.write(buffer) } }
            }
            try outcome.get()
        }

        /// - Parameter isPlain: whether the blob's content is written decompressed.
        mutating func add(_ name: String, blob: Digest, isPlain: Bool = false) throws {
            let path = content.path(of: blob)
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
            defer { buffer.deallocate() }
            // The size stands before the content.
            var size: Int64 = 0
            if isPlain {
                var source = try DecompressingSource(try FileSource(path: path))
                while case let count = try source.read(into: buffer), count > 0 { size += Int64(count) }
            } else {
                guard let stored = content.size(of: blob) else {
                    throw BuildError(.storage, "\(blob) is not in the store", place: content.path)
                }
                size = stored
            }
            try begin(name, size: size)
            var source = try DecompressingSource(
                try FileSource(path: path), compression: isPlain ? nil : Compression.none)
            while case let count = try source.read(into: buffer), count > 0 {
                try tar.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
        }

        private mutating func begin(_ name: String, size: Int64) throws {
            var entry = TarEntry(name: Array(name.utf8), kind: .file)
            entry.size = size
            try tar.append(entry)
        }

        fileprivate mutating func finish() throws { try tar.finish() }
    }
}

/// An open file.
private struct DescriptorSink: ByteSink {
    let descriptor: Int32
    let place: String

    mutating func write(_ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = UnsafeRawBufferPointer(rebasing: rest)
            let count = Glibc.write(descriptor, piece.baseAddress, piece.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw ArchiveError(
                    .fileSystem, "cannot write", place: place, cause: String(cString: strerror(errno)))
            }
            rest = rest.dropFirst(count)
        }
    }

    mutating func finish() throws(ArchiveError) {}
}
