import Builder
import Git
import Glibc
import OCI
import Synchronization

/// A `.git` directory as a part of a build's context, whose files are identified by what they were made for: how they are
/// compressed is another matter each time.
struct GitDirectoryContext: BuildContext {
    private let files: any BuildContext
    private let identity: String

    /// - Parameters:
    ///   - files: a directory, held for as long as it is read.
    ///   - identity: of the commit that counts, the tags and the remote.
    init(_ files: any BuildContext, identity: String) {
        self.files = files
        self.identity = identity
    }

    var displayName: String { files.displayName }

    func entries(under folder: String) async throws(BuildError) -> [ContextEntry] {
        try await files.entries(under: folder).map { entry in
            var entry = entry
            if entry.kind == .file {
                entry.contentID = "git-directory:\(identity):\(String(decoding: entry.pathBytes, as: UTF8.self))"
            }
            return entry
        }
    }

    func read(
        _ entry: ContextEntry, _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError) {
        try await files.read(entry, sink)
    }
}

/// Makes the `.git` directories that builds see of one mirror, and keeps the last: a cycle asks for it again and again.
final class GitDirectoryShelf: Sendable {
    private struct Kept {
        let key: String
        let path: String
        let context: any BuildContext
    }

    private let kept = Mutex<Kept?>(nil)
    private let folder: String

    /// - Parameter folder: where the directories are, for as long as somebody reads them.
    init(folder: String) { self.folder = folder }

    /// The directory of a commit, with its history and the tags of that.
    ///
    /// - Parameters:
    ///   - branch: what is checked out; `nil`: the commit itself.
    ///   - source: the commit that identifies the files, where commits of ours on top of it do not count.
    func directory(
        of commit: Commit, branch: String?, identifiedBy source: ObjectID, in mirror: Mirror
    ) async throws(GitError) -> any BuildContext {
        let tags = try await mirror.fetchTags(reaching: commit.id)
        let words = ["\(source)", branch ?? "", mirror.url.description] + tags.map { "\($0.name) \($0.object)" }
        let identity = Digest.sha256(of: Array(words.joined(separator: "\n").utf8)).encoded
        let key = "\(commit.id) \(identity)"
        // A mirror that was made anew took them along.
        if let known = kept.withLock({ $0 }), known.key == key, access(known.path + "/HEAD", R_OK) == 0 {
            return known.context
        }
        let copy = try GitDirectory(below: folder)
        try await mirror.makeGitDirectory(at: copy.path, of: commit, branch: branch, tags: tags)
        let context: any BuildContext
        do throws(BuildError) {
            context = GitDirectoryContext(
                HeldContext(try DirectoryContext(path: copy.path), holding: copy), identity: identity)
        } catch {
            throw GitError(.storage, error.summary, place: error.place, cause: error.cause, hint: error.hint)
        }
        kept.withLock { $0 = Kept(key: key, path: copy.path, context: context) }
        return context
    }
}

/// Whether a build's context has `.git` in it.
package enum GitDirectoryWish {
    /// BuildKit's build argument for it: https://docs.docker.com/reference/dockerfile/#buildkit-built-in-build-args
    package static let argument = "BUILDKIT_CONTEXT_KEEP_GIT_DIR"

    /// What build arguments ask for; `nil` where they say nothing. The last of a name counts.
    package static func asked(by arguments: [(name: String, value: String)]) -> Bool? {
        arguments.last { $0.name == argument }.map { GoBoolean.parse($0.value) ?? false }
    }
}
