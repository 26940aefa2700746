import Blocking
import Builder
import FileSystem
import Git
import Glibc

/// The mirrors of other people's repositories that are open in this process, each for those who may read it.
package actor SourceMirrors {
    nonisolated let folder: String
    private var mirrors: [String: OpenMirror] = [:]

    init(folder: String) { self.folder = folder }

    /// The mirror of a remote as somebody with these credentials sees it. Nobody else gets it, here or on disk: what it holds
    /// is handed out by a commit's id alone, without the server being asked.
    func mirror(of remote: String, credentials: GitCredentials) throws(GitError) -> OpenMirror {
        let path = "\(folder)/\(GitAccess.folder(for: remote))-\(ReaderIdentity.name(of: credentials))"
        if let known = mirrors[path] {
            Self.touch(path)
            return known
        }
        do throws(GitError) {
            let opened = OpenMirror(try Mirror(path: path, url: remote, credentials: credentials), temporary: nil)
            mirrors[path] = opened
            Self.touch(path)
            return opened
        } catch {
            guard error.code == .locked else { throw error }
            // Another process builds with it: work on a copy of our own, once.
            let copy = try GitDirectory(below: folder)
            let opened = OpenMirror(
                try Mirror(path: copy.path, url: remote, credentials: credentials), temporary: copy)
            mirrors[path] = opened
            return opened
        }
    }

    /// Removes what no build used for long, and what processes left that were killed. What is in use stays.
    ///
    /// - Parameters:
    ///   - age: how long ago it was used last.
    ///   - now: in seconds since 1970.
    func collect(olderThan age: Duration, now: Int64) async {
        let oldest = now - age.components.seconds
        for path in Self.unused(in: folder, since: oldest) {
            if mirrors[path] != nil {
                // A build has it, too: it is in use, whenever it was opened.
                guard isKnownUniquelyReferenced(&mirrors[path]) else { continue }
                mirrors[path] = nil
            }
            await runBlocking { try? Mirror.remove(at: path) }
        }
    }

    private static func unused(in folder: String, since oldest: Int64) -> [String] {
        let entries = (try? Directory(path: folder).entries()) ?? []
        return entries.compactMap { entry in
            let path = "\(folder)/\(String(decoding: entry.name, as: UTF8.self))"
            var status = stat()
            guard entry.type == .directory, lstat(path, &status) == 0, status.st_mtim.tv_sec < oldest else {
                return nil
            }
            return path
        }
    }

    /// The directory's time says when it was used last.
    private static func touch(_ path: String) { utimes(path, nil) }
}

/// A mirror, and its directory when that is for this build alone.
final class OpenMirror: Sendable {
    let mirror: Mirror
    private let temporary: GitDirectory?

    init(_ mirror: Mirror, temporary: GitDirectory?) {
        self.mirror = mirror
        self.temporary = temporary
    }
}

/// A directory that goes with its last user.
final class GitDirectory: Sendable {
    let path: String

    init(below folder: String) throws(GitError) {
        path = "\(folder)/tmp-\(String(UInt64.random(in: .min ... .max), radix: 36))"
    }

    deinit {
        try? removeTree(path)
        try? removeTree(path + ".lock")
    }
}

/// A context that keeps something alive.
struct HeldContext<Held: Sendable>: BuildContext {
    private let base: any BuildContext
    private let held: Held

    init(_ base: any BuildContext, holding held: Held) {
        self.base = base
        self.held = held
    }

    var displayName: String { base.displayName }

    func entries(under folder: String) async throws(BuildError) -> [ContextEntry] {
        try await base.entries(under: folder)
    }

    func listing(under folder: String) async throws(BuildError) -> ContextListing {
        try await base.listing(under: folder)
    }

    func read(
        _ entry: ContextEntry, _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError) {
        try await base.read(entry, sink)
        withExtendedLifetime(held) {}
    }
}
