import CLinux
import Glibc
package import OCI

/// Told of content while it is written, so that it can be read before all of it is there. What is read so far may turn out to be
/// something else than was promised: only a commit says that it is not.
package protocol IngestWatcher: Sendable {
    /// - Parameter file: an open descriptor to read the content from, for the watcher to close.
    func began(_ file: Int32)
    /// The first `count` bytes can be read.
    func wrote(_ count: Int64)
    /// What was written is given up, and comes again from the first byte.
    func restarted()
}

/// Content on its way into a store: written and hashed, then committed under its digest. Dropped without a commit, it
/// leaves nothing.
package struct Ingest: ~Copyable {
    private static let prefix = ".ingest-"

    private let store: ContentStore
    private let algorithm: Digest.Algorithm
    private let path: String
    private let file: Int32
    private let watcher: (any IngestWatcher)?
    private var hasher: DigestHasher
    private var isCommitted = false
    /// Bytes written so far.
    package private(set) var count: Int64 = 0
    /// Up to where the kernel was told to write.
    private var sent: Int64 = 0
    private static let writeBack: Int64 = 8 << 20

    init(
        store: ContentStore, folder: String, algorithm: Digest.Algorithm, watcher: (any IngestWatcher)?
    ) throws(ContentStoreError) {
        let path = "\(folder)/\(Self.prefix)\(String(UInt64.random(in: .min ... .max), radix: 36))"
        let file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .system("create a file", path) }
        // Says to other processes that somebody is still writing; released by the kernel when this one dies.
        flock(file, LOCK_EX | LOCK_NB)
        self.store = store
        self.algorithm = algorithm
        self.path = path
        self.file = file
        self.watcher = watcher
        hasher = DigestHasher(algorithm)
        guard let watcher else { return }
        let reading = open(path, O_RDONLY | O_CLOEXEC)
        if reading >= 0 { watcher.began(reading) }
    }

    package mutating func write(_ bytes: UnsafeRawBufferPointer) throws(ContentStoreError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = UnsafeRawBufferPointer(rebasing: rest)
            let written = Glibc.write(file, part.baseAddress, part.count)
            guard written > 0 else {
                if errno == EINTR { continue }
                throw .system("write a blob", path)
            }
            rest = rest.dropFirst(written)
        }
        count += Int64(bytes.count)
        watcher?.wrote(count)
        hasher.update(bytes)
        // On its way to the disk meanwhile, so that the end need not wait for all of it.
        if count - sent >= Self.writeBack {
            _ = linux_begin_writing(file, sent, count - sent)
            sent = count
        }
    }

    package mutating func write(_ bytes: [UInt8]) throws(ContentStoreError) {
        try bytes.withUnsafeBufferPointer { (buffer) throws(ContentStoreError) in
            try write(UnsafeRawBufferPointer(buffer))
        }
    }

    /// Forgets what was written, to begin again from the first byte.
    package mutating func restart() throws(ContentStoreError) {
        guard ftruncate(file, 0) == 0, lseek(file, 0, SEEK_SET) == 0 else { throw .system("empty a file", path) }
        hasher = DigestHasher(algorithm)
        count = 0
        sent = 0
        watcher?.restarted()
    }

    /// Gives the content its name, after it has reached the disk.
    ///
    /// - Parameter expected: what it must be; anything else is refused and vanishes.
    package consuming func commit(expected: Descriptor?) throws(ContentStoreError) -> (digest: Digest, size: Int64) {
        let size = count
        let digest = finishHash()
        if let expected {
            guard size == expected.size else {
                throw ContentStoreError(
                    .sizeMismatch, "\(expected.digest) has the wrong size",
                    cause: "\(size) bytes arrived where \(expected.size) were promised")
            }
            guard digest == expected.digest else {
                throw ContentStoreError(
                    .digestMismatch, "\(expected.digest) has the wrong content", cause: "what arrived is \(digest)")
            }
        }
        let target = store.path(of: digest)
        guard fchmod(file, store.fileMode) == 0, fsync(file) == 0 else { throw .system("write a blob", path) }
        guard rename(path, target) == 0 else { throw .system("rename a blob", target) }
        isCommitted = true
        return (digest, size)
    }

    private mutating func finishHash() -> Digest {
        var finished = DigestHasher(algorithm)
        swap(&finished, &hasher)
        return finished.finalize()
    }

    deinit {
        if !isCommitted { unlink(path) }
        close(file)
    }

    /// Removes the files of processes that died: unlocked, and older than an hour so that a file between its creation
    /// and its lock is never taken for one.
    static func removeAbandoned(in folder: String) {
        guard let directory = opendir(folder) else { return }
        defer { closedir(directory) }
        let limit = time(nil) - 3600
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name.hasPrefix(prefix) else { continue }
            let path = "\(folder)/\(name)"
            let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
            guard file >= 0 else { continue }
            var status = stat()
            if fstat(file, &status) == 0, status.st_mtim.tv_sec < limit, flock(file, LOCK_EX | LOCK_NB) == 0 {
                unlink(path)
            }
            close(file)
        }
    }
}
