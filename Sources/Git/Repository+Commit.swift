import CGit2

extension Repository {
    /// Writes blobs, the trees above them and a commit; moves no reference.
    ///
    /// Subtrees without an edit keep their ids, so that modes, symbolic links and submodules stay as they are.
    func createCommit(
        parent: ObjectID, edits: [String: [UInt8]], deletions: Set<String>, message: String, author: Signature,
        committer: Signature, signingKey: SigningKey?
    ) throws(GitError) -> ObjectID {
        let base = try commit(parent).tree
        let tree = try editedTree(base: base, edits: edits, deletions: deletions)
        guard tree != base else {
            throw GitError(.unchanged, "the edits leave the tree of \(parent.short) as it is", place: path)
        }
        guard !message.utf8.contains(0), !message.isEmpty else {
            throw GitError(.invalid, "a commit message must not be empty or contain NUL")
        }
        let treeHandle = try self.treeHandle(tree)
        let parentHandle = try commitHandle(parent)
        let by = try OwnedSignature(author)
        let with = try OwnedSignature(committer)
        let text = message.hasSuffix("\n") ? message : message + "\n"
        var oid = git_oid()
        var parents: [OpaquePointer?] = [parentHandle.pointer]
        guard let signingKey else {
            try check("cannot write the commit", place: path) {
                git_commit_create(
                    &oid, handle.pointer, nil, by.pointer, with.pointer, nil, text, treeHandle.pointer, 1, &parents)
            }
            return ObjectID(oid)
        }
        var buffer = git_buf()
        defer { git_buf_dispose(&buffer) }
        try check("cannot write the commit", place: path) {
            git_commit_create_buffer(
                &buffer, handle.pointer, by.pointer, with.pointer, nil, text, treeHandle.pointer, 1, &parents)
        }
        let payload = Self.bytes(buffer)
        let signature = try signingKey.sign(payload)
        try check("cannot write the signed commit", place: path) {
            git_commit_create_with_signature(
                &oid, handle.pointer, String(decoding: payload, as: UTF8.self), signature, "gpgsig")
        }
        return ObjectID(oid)
    }

    private func editedTree(
        base: ObjectID, edits: [String: [UInt8]], deletions: Set<String>
    ) throws(GitError) -> ObjectID {
        var updates: [(path: String, action: git_tree_update_t, mode: git_filemode_t, id: git_oid)] = []
        // Sorted: the same edits give the same calls, and so the same error.
        for (file, bytes) in edits.sorted(by: { $0.key < $1.key }) {
            guard !deletions.contains(file) else {
                throw GitError(.invalid, "'\(file)' is both edited and deleted")
            }
            let mode = try modeForEdit(of: file, in: base)
            var oid = git_oid()
            try check("cannot write the new content of '\(file)'", place: path) {
                bytes.withUnsafeBytes {
                    git_odb_write(&oid, database.pointer, $0.baseAddress, $0.count, GIT_OBJECT_BLOB)
                }
            }
            updates.append((file, GIT_TREE_UPDATE_UPSERT, mode.value, oid))
        }
        for file in deletions.sorted() {
            guard let entry = try entry(at: try checkedPath(file), in: base) else { continue }
            guard entry.mode != .directory else {
                throw GitError(.invalid, "'\(file)' is a directory; nothing deleted")
            }
            updates.append((file, GIT_TREE_UPDATE_REMOVE, entry.mode.value, entry.id.oid))
        }
        guard !updates.isEmpty else { return base }
        let names = StringArray(updates.map(\.path))
        let strings = names.value
        let raw = updates.enumerated().map { index, update in
            git_tree_update(
                action: update.action, id: update.id, filemode: update.mode,
                path: strings.strings[index].map { UnsafePointer($0) })
        }
        let tree = try treeHandle(base)
        var oid = git_oid()
        try check("cannot write the edited tree", place: path) {
            git_tree_create_updated(&oid, handle.pointer, tree.pointer, raw.count, raw)
        }
        return ObjectID(oid)
    }

    /// The mode that a file keeps, or gets when it is new.
    private func modeForEdit(of file: String, in base: ObjectID) throws(GitError) -> TreeEntry.Mode {
        let names = try checkedPath(file).split(separator: "/", omittingEmptySubsequences: false)
        // A parent that is a link or a submodule would be replaced by a directory, silently.
        var parent = ""
        for name in names.dropLast() {
            parent += parent.isEmpty ? String(name) : "/\(name)"
            guard let entry = try entry(at: parent, in: base) else { return .file }
            guard entry.mode == .directory else {
                throw GitError(.invalid, "'\(file)' cannot be written: '\(parent)' is not a directory in \(base.short)")
            }
        }
        guard let entry = try entry(at: file, in: base) else { return .file }
        switch entry.mode {
        case .file, .executable: return entry.mode
        case .symlink: throw GitError(.invalid, "'\(file)' is a symbolic link; edit the file that it points at")
        case .submodule: throw GitError(.invalid, "'\(file)' is a submodule; its files belong to another repository")
        case .directory: throw GitError(.invalid, "'\(file)' is a directory")
        }
    }

    /// Refuses names that no git accepts in a tree (fsck: fullPathname, hasDot, hasDotdot, hasDotgit).
    private func checkedPath(_ file: String) throws(GitError) -> String {
        let names = file.split(separator: "/", omittingEmptySubsequences: false)
        let bad = names.contains { $0.isEmpty || $0 == "." || $0 == ".." || $0.lowercased() == ".git" }
        guard !bad, !file.utf8.contains(0) else {
            throw GitError(.invalid, "'\(file)' is not a path inside a repository")
        }
        return file
    }
}

/// A `git_signature` made from ours.
struct OwnedSignature: ~Copyable {
    let pointer: UnsafeMutablePointer<git_signature>

    init(_ signature: Signature) throws(GitError) {
        var made: UnsafeMutablePointer<git_signature>?
        let status = git_signature_new(
            &made, signature.name, signature.email, signature.time, Int32(clamping: signature.offsetMinutes))
        guard status >= 0, let made else {
            throw .last(
                status, "'\(signature.name) <\(signature.email)>' cannot sign a commit",
                hint: "name and e-mail address must not be empty, nor contain '<', '>' or line breaks")
        }
        pointer = made
    }

    deinit { git_signature_free(pointer) }
}
