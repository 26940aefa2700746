import Builder
import FileSystem
import Git

/// The mirrors of other people's repositories that are open in this process, each for those who may read it.
package actor SourceMirrors {
    nonisolated let folder: String
    private var mirrors: [String: OpenMirror] = [:]

    init(folder: String) { self.folder = folder }

    /// The mirror of a remote as somebody with these credentials sees it. Nobody else gets it, here or on disk: what it holds
    /// is handed out by a commit's id alone, without the server being asked.
    func mirror(of remote: String, credentials: GitCredentials) throws(GitError) -> OpenMirror {
        let path = "\(folder)/\(GitAccess.folder(for: remote))-\(ReaderIdentity.name(of: credentials))"
        if let known = mirrors[path] { return known }
        do throws(GitError) {
            let opened = OpenMirror(try Mirror(path: path, url: remote, credentials: credentials), temporary: nil)
            mirrors[path] = opened
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

    func read(
        _ entry: ContextEntry, _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError) {
        try await base.read(entry, sink)
        withExtendedLifetime(held) {}
    }
}
