import Archive
import Glibc
import Synchronization

/// Large files of a COPY that have their place, size and metadata, and no content yet. The layer's writer brings it: it reads
/// the context's file, writes the content to its place and into the layer, and so a file is read once and its compression
/// begins with its first bytes.
///
/// Files are known by their inodes, which cannot be taken by others while they are open here. So whatever an instruction does
/// to its own files afterwards, what is left of them gets its content, and nothing else does.
final class DeferredFiles: Sendable {
    private let files = Mutex<[FileIdentity: DeferredFile]>([:])

    /// Smaller ones cost more to remember than to copy.
    private static let smallest: Int64 = 8 << 20
    /// Each holds two open files.
    private static let most = 64

    func takes(_ node: Node) -> Bool {
        // A write takes away setuid and file capabilities: such files are written first and get those then.
        node.kind == .file && node.size >= Self.smallest && node.mode & 0o7000 == 0
            && files.withLock { $0.count < Self.most }
    }

    /// - Parameter file: with its metadata set.
    func add(_ file: DeferredFile) throws(BuildError) {
        guard ftruncate(file.target.raw, off_t(file.size)) == 0 else { throw file.path.failure("make the file") }
        try FileCalls.setModified(file.target.raw, file.path, file.modified)
        guard let made = try Node.read(file.target.raw, file.path) else { return }
        files.withLock { $0[FileIdentity(made)] = file }
    }

    /// The file at a place that waits for its content; it waits no more.
    func take(_ node: Node) -> DeferredFile? {
        files.withLock { $0.removeValue(forKey: FileIdentity(node)) }
    }
}

/// Content on its way from one open file to another.
final class DeferredFile: Sendable {
    private let source: FileContent.Descriptor
    /// Where the content comes from, for messages.
    private let origin: HostPath
    fileprivate let target: FileContent.Descriptor
    fileprivate let path: HostPath
    fileprivate let size: Int64
    fileprivate let modified: Timestamp

    init(
        from source: consuming FileContent.Descriptor, _ origin: HostPath, to target: consuming FileContent.Descriptor,
        _ path: HostPath, _ node: Node
    ) {
        self.source = source
        self.origin = origin
        self.target = target
        self.path = path
        size = node.size
        modified = node.modified
    }

    /// Writes the content to its place and hands it on, piece by piece.
    func stream(_ body: (UnsafeRawBufferPointer) throws(BuildError) -> Void) throws(BuildError) {
        var left = size
        try FileContent.stream(source, origin) { (bytes) throws(BuildError) in
            left -= Int64(bytes.count)
            guard left >= 0 else { throw changed }
            // The file has its size already.
            if !Zeros.fill(bytes) || !Zeros.skip(bytes.count, in: target.raw) {
                try FileContent.write(bytes, to: target.raw, path)
            }
            try body(bytes)
        }
        guard left == 0 else { throw changed }
        try FileCalls.setModified(target.raw, path, modified)
    }

    private var changed: BuildError {
        BuildError(.context, "the context changed while it was read", place: origin.text)
    }
}
