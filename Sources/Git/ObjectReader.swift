import Synchronization

/// Reads the objects of a mirror from synchronous code, on any thread, beside the mirror itself.
///
/// Calls from several threads wait for each other; take one reader a thread where that matters.
package final class ObjectReader: Sendable {
    /// Unsafe to share, and never shared: it is used under `lock` only. (A `Mutex` around it would refuse closures of the
    /// caller's that are not `Sendable`, which only borrow the bytes.)
    private nonisolated(unsafe) let repository: Repository
    private let lock = Mutex(())

    /// - Parameter path: a mirror's path. It must have been opened by `Mirror` before.
    package init(path: String) throws(GitError) {
        repository = try Repository(opening: path)
    }

    /// A blob's size in bytes.
    package func size(of id: ObjectID) throws(GitError) -> Int {
        try lock.withLock { _ throws(GitError) in try repository.size(of: id) }
    }

    /// A blob's whole content; `.tooLarge` when it has more than `limit` bytes.
    package func blob(_ id: ObjectID, limit: Int) throws(GitError) -> [UInt8] {
        try lock.withLock { _ throws(GitError) in try repository.withBlob(id, limit: limit) { Array($0) } }
    }

    /// Lends a blob's bytes for the duration of `body`, without copying them.
    ///
    /// libgit2 cannot stream out of packs: the blob is in memory meanwhile, whatever its size.
    package func withBlob<Result: Sendable>(
        _ id: ObjectID, limit: Int = .max, _ body: (UnsafeRawBufferPointer) -> Result
    ) throws(GitError) -> Result {
        try lock.withLock { _ throws(GitError) in try repository.withBlob(id, limit: limit) { body($0) } }
    }

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
