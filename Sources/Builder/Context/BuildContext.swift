import OCI
import Synchronization

/// The files that COPY and ADD can take: a git tree, a directory, nothing.
///
/// The Dockerfile and `.dockerignore` are read from it as well. The builder applies `.dockerignore` itself, so an
/// implementation lists everything.
package protocol BuildContext: Sendable {
    /// What error messages call it: `git tree 3a33f0a`, a path.
    var displayName: String { get }

    /// All entries at and below a folder (`""` is the root), in any order. The folders on the way to an entry may be left
    /// out: they are then taken as 0755.
    func entries(under folder: String) async throws(BuildError) -> [ContextEntry]

    /// The same, packed. A context that may have very many files makes it without `entries`.
    func listing(under folder: String) async throws(BuildError) -> ContextListing

    /// What identifies the bytes of regular files, in their order: equal bytes, equal names. By default the entry's own, else a
    /// digest.
    func contentIDs(of entries: [ContextEntry]) async throws(BuildError) -> [String]

    /// The same for any number of files. By default a part of them after the other.
    func contentIDs(of files: ContextFiles) async throws(BuildError) -> ContentIDs

    /// Streams the bytes of a regular file, in order, in pieces of any size. `sink` may write to a disk: call it from
    /// where blocking is allowed. What it throws ends the reading and is thrown on.
    func read(
        _ entry: ContextEntry, _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError)
}

extension BuildContext {
    package func listing(under folder: String) async throws(BuildError) -> ContextListing {
        ContextListing(try await entries(under: folder))
    }

    package func contentIDs(of files: ContextFiles) async throws(BuildError) -> ContentIDs {
        var found = ContentIDs()
        for part in files.parts { for id in try await contentIDs(of: part) { found.append(id) } }
        return found
    }

    package func contentIDs(of entries: [ContextEntry]) async throws(BuildError) -> [String] {
        var found: [String] = []
        for entry in entries {
            if let known = entry.contentID {
                found.append(known)
                continue
            }
            let running = RunningHash()
            try await read(entry) { (bytes) throws(BuildError) in running.update(bytes) }
            found.append(running.finish())
        }
        return found
    }
}

/// A hash that a callback on another thread can add to.
private final class RunningHash: Sendable {
    private let hasher = Mutex<ContentIdentityHasher?>(ContentIdentityHasher())

    func update(_ bytes: UnsafeRawBufferPointer) {
        let chunk = [UInt8](bytes)
        hasher.withLock { hasher in chunk.withUnsafeBytes { hasher?.update($0) } }
    }

    func finish() -> String {
        hasher.withLock { hasher in
            guard let full = hasher.take() else { preconditionFailure("a file is hashed once") }
            let size = full.size
            return ContentIdentity.name(full.finalize(), size: size)
        }
    }
}

/// A context with nothing in it.
package struct EmptyContext: BuildContext {
    package init() {}

    package var displayName: String { "the empty context" }

    package func entries(under folder: String) async throws(BuildError) -> [ContextEntry] { [] }

    package func read(
        _ entry: ContextEntry, _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError) {
        throw BuildError(.missingSource, "the context is empty, there is no \(entry.path)")
    }
}
