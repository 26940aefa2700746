import Synchronization

/// Reads the objects of a mirror from synchronous code, on any thread, beside the mirror itself.
///
/// Calls from several threads wait for each other; take one reader a thread where that matters.
package final class ObjectReader: Sendable {
    /// Unsafe to share, and never shared: it is used under `lock` only. (A `Mutex` around it would refuse closures of the
    /// caller's that are not `Sendable`, which only borrow the bytes.)
    private nonisolated(unsafe) let repository: Repository
    private let lock = Mutex(())
    private let path: String

    /// - Parameter path: a mirror's path. It must have been opened by `Mirror` before.
    package init(path: String) throws(GitError) {
        repository = try Repository(opening: path)
        self.path = path
    }

    /// A blob's size in bytes.
    package func size(of id: ObjectID) throws(GitError) -> Int {
        try lock.withLock { _ throws(GitError) in try repository.size(of: id) }
    }

    /// A blob's whole content; `.tooLarge` when it has more than `limit` bytes.
    package func blob(_ id: ObjectID, limit: Int) throws(GitError) -> [UInt8] {
        try lock.withLock { _ throws(GitError) in try repository.withBlob(id, limit: limit) { Array($0) } }
    }

    /// A blob's content in order, in one piece while it has up to 4 MiB, else in pieces: then some hundred kilobytes are in memory,
    /// whatever the size, and what a delta is made from lies in files without names beside the objects.
    ///
    /// - Parameters:
    ///   - limit: bytes that the blob, or an older version that it is a delta of, may have; `.tooLarge` otherwise.
    ///   - take: `false` ends the reading. What it got counts only when this returns.
    /// - Returns: whether all was taken.
    package func stream(
        _ id: ObjectID, limit: Int64 = .max, _ take: (UnsafeRawBufferPointer) -> Bool
    ) throws(GitError) -> Bool {
        switch try ObjectStream(directory: path + "/objects", id: id, limit: limit).read(take) {
        case .taken: return true
        case .stopped: return false
        case .leftToLibrary: break
        }
        return try lock.withLock { _ throws(GitError) in
            try repository.withBlob(id, limit: Int(min(limit, Self.libraryLimit)), take)
        }
    }

    /// What libgit2 may hold in memory of an object that is nowhere else.
    private static let libraryLimit: Int64 = 64 << 20

    /// As `Mirror.entries`.
    package func entries(
        of id: ObjectID, under directory: String = "", recursive: Bool = true, includingDirectories: Bool = false,
        limit: Int = 2_000_000
    ) throws(GitError) -> [TreeEntry] {
        try lock.withLock { _ throws(GitError) in
            try repository.entries(
                of: id, under: directory, recursive: recursive, includingDirectories: includingDirectories, limit: limit
            )
        }
    }

    /// As `Mirror.objectID(at:in:)`.
    package func objectID(at path: String, in id: ObjectID) throws(GitError) -> TreeEntry? {
        try lock.withLock { _ throws(GitError) in try repository.entry(at: path, in: id) }
    }
}
