import FileSystem
import Glibc
package import OCI

/// Blobs on disk under the names of their digests: `blobs/sha256/<hex>`, as in an OCI image layout.
///
/// Content enters through an `Ingest`, which either commits (hashed, synced, renamed into place) or leaves nothing. A
/// blob that is there is therefore whole; any number of processes may share a store. All calls block: run them on
/// blocking threads.
package struct ContentStore: Sendable {
    package let path: String
    private let temporaryFolder: String
    /// Whether other users of the machine may read it.
    private let isPublic: Bool
    private var watcher: (any IngestWatcher)?
    /// Says of blobs that they are used, wherever their size is asked for; a layout's are nobody's to remove.
    package let use: RecentUse

    /// Opens a store for this user alone, creating its directories, and removes what interrupted processes left in `ingest/`.
    package init(path: String) throws(ContentStoreError) {
        try self.init(path: path, temporaryFolder: "\(path)/ingest", isPublic: false)
    }

    /// The blobs of an OCI image layout. Unfinished content lies in the layout's directory under a hidden name, so that
    /// there are no directories that other tools do not expect.
    package init(layout path: String) throws(ContentStoreError) {
        try self.init(path: path, temporaryFolder: path, isPublic: true)
    }

    private init(path: String, temporaryFolder: String, isPublic: Bool) throws(ContentStoreError) {
        self.path = path
        self.temporaryFolder = temporaryFolder
        self.isPublic = isPublic
        use = RecentUse(lock: "\(path)/use.lock")
        try makeDirectories("\(path)/blobs/\(Digest.Algorithm.sha256.rawValue)")
        try makeDirectories(temporaryFolder)
        Ingest.removeAbandoned(in: temporaryFolder)
    }

    /// Where the content lies, or would lie.
    package func path(of digest: Digest) -> String { "\(path)/blobs/\(digest.algorithm.rawValue)/\(digest.encoded)" }

    package func contains(_ digest: Digest) -> Bool { size(of: digest) != nil }

    /// The size in bytes; `nil` when the content is not there. To ask for it is to use it: whoever makes room leaves it for a while.
    package func size(of digest: Digest) -> Int64? {
        guard let size = storedSize(of: digest), isPublic || use.mark(path(of: digest)) else { return nil }
        return size
    }

    /// The same, without using it.
    package func storedSize(of digest: Digest) -> Int64? {
        var status = stat()
        guard stat(path(of: digest), &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return Int64(status.st_size)
    }

    /// Reads a small blob into memory and verifies it.
    package func read(_ digest: Digest, limit: Int) throws(ContentStoreError) -> [UInt8] {
        var content: [UInt8] = []
        if let size = size(of: digest), size <= limit { content.reserveCapacity(Int(size)) }
        try read(digest) { (bytes) throws(ContentStoreError) in
            guard bytes.count <= limit - content.count else {
                throw ContentStoreError(
                    .tooLarge, "\(digest) is larger than the \(limit) bytes allowed for it", place: path)
            }
            content.append(contentsOf: bytes)
        }
        return content
    }

    /// Streams a blob and verifies it: what was delivered may only be used when this returns.
    package func read(
        _ digest: Digest, _ receive: (UnsafeRawBufferPointer) throws(ContentStoreError) -> Void
    ) throws(ContentStoreError) {
        let file = path(of: digest)
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { throw ContentStoreError(.notFound, "\(digest) is not in the store", place: path) }
            throw .system("open a blob", file)
        }
        defer { close(descriptor) }
        var hasher = DigestHasher(digest.algorithm)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            if count == 0 { break }
            guard count > 0 else {
                if errno == EINTR { continue }
                throw .system("read a blob", file)
            }
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            hasher.update(bytes)
            try receive(bytes)
        }
        let found = hasher.finalize()
        guard found == digest else {
            throw ContentStoreError(
                .digestMismatch, "a blob is damaged", place: file, cause: "its content is \(found)",
                hint: "delete the file; it is fetched again")
        }
    }

    /// Begins to add content. The algorithm is that of the name under which it will be kept.
    package func ingest(_ algorithm: Digest.Algorithm = .sha256) throws(ContentStoreError) -> Ingest {
        if algorithm != .sha256 { try makeDirectories("\(path)/blobs/\(algorithm.rawValue)") }
        return try Ingest(store: self, folder: temporaryFolder, algorithm: algorithm, watcher: watcher)
    }

    /// The same store, of whose ingests somebody is told.
    package func watched(by watcher: any IngestWatcher) -> ContentStore {
        var store = self
        store.watcher = watcher
        return store
    }

    /// The same store, of whose ingests nobody is told.
    package var unwatched: ContentStore {
        var store = self
        store.watcher = nil
        return store
    }

    /// Adds bytes at hand.
    @discardableResult
    package func add(_ bytes: [UInt8]) throws(ContentStoreError) -> Digest {
        let digest = Digest.sha256(of: bytes)
        if size(of: digest) == Int64(bytes.count) { return digest }
        var ingest = try ingest()
        try ingest.write(bytes)
        return try ingest.commit(expected: nil).digest
    }

    /// Removes content; nothing happens when it is not there.
    package func remove(_ digest: Digest) throws(ContentStoreError) {
        guard unlink(path(of: digest)) != 0, errno != ENOENT else { return }
        throw .system("remove a blob", path(of: digest))
    }

    /// The mode of what is committed.
    var fileMode: mode_t { isPublic ? 0o644 : 0o600 }

    private func makeDirectories(_ path: String) throws(ContentStoreError) {
        do throws(FileSystemError) { try FileSystem.makeDirectories(path, mode: isPublic ? 0o755 : 0o700) } catch {
            throw .system("create a directory", error.path, error.code)
        }
    }
}
