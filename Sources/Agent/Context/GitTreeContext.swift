import Blocking
package import Builder
import Diagnostics
package import Git

/// A directory of a git revision as a build context, read from the object database: nothing is checked out, and the blob
/// ids are the content's identity.
package struct GitTreeContext: BuildContext {
    private let mirror: Mirror
    private let revision: Commit
    /// The directory that is the context's root; empty for the repository's.
    private let root: String
    /// Files by the context's path; those of another revision where the agent's own commits are looked away from.
    private let files: [TreeEntry]

    package init(mirror: Mirror, tree: RevisionTree, root: String, replacing replaced: [String: TreeEntry] = [:]) {
        self.mirror = mirror
        self.root = root
        revision = tree.revision
        let prefix = root.isEmpty ? "" : root + "/"
        files = tree.entries.compactMap { entry in
            guard prefix.isEmpty || entry.path.hasPrefix(prefix) else { return nil }
            return replaced[entry.path] ?? entry
        }
    }

    package var displayName: String {
        "\(root.isEmpty ? "the repository" : root) at \(revision.id.short)"
    }

    package func entries(under folder: String) async throws(BuildError) -> [ContextEntry] {
        let prefixLength = root.isEmpty ? 0 : root.utf8.count + 1
        let reader = try reader()
        let files = self.files
        return try await runBlocking { () throws(BuildError) -> [ContextEntry] in
            var entries: [ContextEntry] = []
            let below = Array((folder.isEmpty ? "" : folder + "/").utf8)
            for file in files {
                let path = Array(file.pathBytes.dropFirst(prefixLength))
                guard below.isEmpty || path.starts(with: below) || path.elementsEqual(folder.utf8) else { continue }
                entries.append(try Self.entry(file, path: path, reader))
            }
            return entries
        }
    }

    private static func entry(
        _ file: TreeEntry, path: [UInt8], _ reader: ObjectReader
    ) throws(BuildError) -> ContextEntry {
        do {
            switch file.mode {
            case .file, .executable:
                return ContextEntry(
                    pathBytes: path, kind: .file, mode: file.mode == .executable ? 0o755 : 0o644,
                    size: Int64(try reader.size(of: file.id)), contentID: "git:\(file.id)")
            case .symlink:
                return ContextEntry(
                    pathBytes: path, kind: .symlink(target: try reader.blob(file.id, limit: 4_096)), mode: 0o777,
                    contentID: "git:\(file.id)")
            case .directory: return ContextEntry(pathBytes: path, kind: .directory, mode: 0o755)
            case .submodule:
                return ContextEntry(
                    pathBytes: path,
                    kind: .unavailable(
                        reason: "it is a git submodule, whose files are not in this repository",
                        hint: "leave it out by .dockerignore, or copy its files into the repository"), mode: 0o755,
                    contentID: "git:\(file.id)")
            }
        } catch {
            throw Self.ofMirror(BuildError(.context, "cannot read the git tree", place: file.path, from: error))
        }
    }

    package func read(
        _ entry: ContextEntry, _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError) {
        guard let content = entry.contentID, content.hasPrefix("git:"),
            let id = try? ObjectID(hex: String(content.dropFirst(4)))
        else { throw BuildError(.context, "the entry is not of this context", place: entry.path) }
        let reader = try reader()
        try await runBlocking { () throws(BuildError) in
            var failure: BuildError?
            do throws(GitError) {
                _ = try reader.stream(id, limit: max(entry.size, Self.versionLimit)) { bytes in
                    do throws(BuildError) {
                        guard entry.size >= 1_024 || !Self.isLargeFilePointer(bytes) else {
                            throw BuildError(
                                .context, "the file is a Git LFS pointer; its content is not in the repository",
                                place: entry.path,
                                hint:
                                    "if the image does not need it, list it in .dockerignore; else store the file in git "
                                    + "itself, or fetch it in a RUN step")
                        }
                        try sink(bytes)
                        return true
                    } catch {
                        failure = error
                        return false
                    }
                }
            } catch {
                throw Self.ofMirror(BuildError(.context, "cannot read the file", place: entry.path, from: error))
            }
            if let failure { throw failure }
        }
    }

    /// Bytes that another version may have which git keeps the file as a difference to.
    private static let versionLimit: Int64 = 8 << 30

    /// https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
    private static func isLargeFilePointer(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count < 1_024 && bytes.starts(with: "version https://git-lfs.github.com/spec/".utf8)
    }

    /// The mirror is a cache: a damaged one is made anew, and then the same build may succeed.
    private static func ofMirror(_ error: BuildError) -> BuildError {
        var error = error
        error.isTransient = true
        return error
    }

    private func reader() throws(BuildError) -> ObjectReader {
        do { return try mirror.reader() } catch {
            throw Self.ofMirror(BuildError(.context, "cannot open the mirror", from: error))
        }
    }
}
