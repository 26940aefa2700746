import Blocking
package import Builder
import Diagnostics
import Git

/// A directory of a git revision as a build context, read from the object database: nothing is checked out, and the blob
/// ids are the content's identity.
package struct GitTreeContext: BuildContext {
    private let mirror: Mirror
    private let revision: Commit
    /// The directory that is the context's root; empty for the repository's.
    private let root: String
    /// Files by the context's path; those of another revision where the agent's own commits are looked away from.
    private let files: [TreeEntry]
    /// What stands for pointer files of Git LFS; `nil`: nothing does, and to take one is an error.
    private let largeFiles: LargeFiles?

    init(
        mirror: Mirror, tree: RevisionTree, root: String, replacing replaced: [String: TreeEntry] = [:],
        largeFiles: LargeFiles? = nil
    ) {
        self.mirror = mirror
        self.largeFiles = largeFiles
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
        try await entries(under: folder, into: []) { $0.append($1) }
    }

    package func listing(under folder: String) async throws(BuildError) -> ContextListing {
        try await entries(under: folder, into: ContextListingBuilder()) { $0.append($1) }.listing
    }

    private func entries<Entries: Sendable>(
        under folder: String, into none: Entries, _ add: @escaping @Sendable (inout Entries, ContextEntry) -> Void
    ) async throws(BuildError) -> Entries {
        let prefixLength = root.isEmpty ? 0 : root.utf8.count + 1
        let reader = try reader()
        let (files, largeFiles) = (self.files, self.largeFiles)
        return try await runBlocking { () throws(BuildError) -> Entries in
            var entries = none
            let below = Array((folder.isEmpty ? "" : folder + "/").utf8)
            for file in files {
                let path = Array(file.pathBytes.dropFirst(prefixLength))
                guard below.isEmpty || path.starts(with: below) || path.elementsEqual(folder.utf8) else { continue }
                add(&entries, try Self.entry(file, path: path, reader, largeFiles))
            }
            return entries
        }
    }

    private static func entry(
        _ file: TreeEntry, path: [UInt8], _ reader: ObjectReader, _ largeFiles: LargeFiles?
    ) throws(BuildError) -> ContextEntry {
        do {
            switch file.mode {
            case .file, .executable:
                var entry = ContextEntry(
                    pathBytes: path, kind: .file, mode: file.mode == .executable ? 0o755 : 0o644,
                    size: Int64(try reader.size(of: file.id)), contentID: "git:\(file.id)")
                guard let largeFiles, entry.size <= LargeFilePointer.longest,
                    let pointer = LargeFilePointer(try reader.blob(file.id, limit: LargeFilePointer.longest))
                else { return entry }
                largeFiles.announce(pointer)
                entry.size = pointer.size
                entry.contentID = pointer.contentID
                return entry
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
                        hint:
                            "have it fetched by 'submodules: true' of the build (a kaniko Job: --git=recurse-submodules=true), "
                            + "or leave it out by .dockerignore"), mode: 0o755,
                    contentID: "git:\(file.id)")
            }
        } catch {
            throw Self.ofMirror(BuildError(.context, "cannot read the git tree", place: file.path, from: error))
        }
    }

    package func read(
        _ entry: ContextEntry, _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError) {
        if let largeFiles, let pointer = LargeFilePointer(contentID: entry.contentID, size: entry.size) {
            return try await largeFiles.read(pointer, at: entry.path, sink)
        }
        guard let content = entry.contentID, content.hasPrefix("git:"),
            let id = try? ObjectID(hex: String(content.dropFirst(4)))
        else { throw BuildError(.context, "the entry is not of this context", place: entry.path) }
        let reader = try reader()
        try await runBlocking { () throws(BuildError) in
            var failure: BuildError?
            do throws(GitError) {
                _ = try reader.stream(id, limit: max(entry.size, Self.versionLimit)) { bytes in
                    do throws(BuildError) {
                        if entry.size <= LargeFilePointer.longest { try Self.refusePointer(bytes, at: entry.path) }
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

    /// A pointer in the place of what it stands for makes an image that nobody means.
    private static func refusePointer(_ bytes: UnsafeRawBufferPointer, at path: String) throws(BuildError) {
        guard LargeFilePointer.isOne(bytes) else { return }
        throw BuildError(
            .context, "the file is a Git LFS pointer; its content is not in the repository", place: path,
            cause: LargeFilePointer(Array(bytes)) == nil ? "it asks for an extension, or is of an unknown form" : nil,
            hint:
                "have it fetched by 'lfs: true' of the build (slipway build: --git lfs=true); if the image does not need it, "
                + "list it in .dockerignore")
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
