import CGit2
import Glibc

extension Repository {
    func commit(_ id: ObjectID) throws(GitError) -> Commit {
        let commit = try commitHandle(id)
        let pointer = commit.pointer
        let parents = (0..<git_commit_parentcount(pointer)).compactMap { git_commit_parent_id(pointer, $0) }
        guard let tree = git_commit_tree_id(pointer), let author = git_commit_author(pointer),
            let committer = git_commit_committer(pointer)
        else { throw GitError(.corrupt, "the commit \(id) is damaged", place: path) }
        return Commit(
            id: id, tree: ObjectID(tree.pointee), parents: parents.map { ObjectID($0.pointee) },
            author: Signature(author.pointee), committer: Signature(committer.pointee),
            message: git_commit_message_raw(pointer).map { String(cString: $0) } ?? "")
    }

    func commitHandle(_ id: ObjectID) throws(GitError) -> Handle<CommitKind> {
        var oid = id.oid
        try checkSize(of: id, limit: Self.commitLimit)
        return try Handle("cannot read the commit \(id)", place: path) { git_commit_lookup(&$0, handle.pointer, &oid) }
    }

    func treeHandle(_ id: ObjectID) throws(GitError) -> Handle<TreeKind> {
        var oid = id.oid
        try checkSize(of: id, limit: Self.treeLimit)
        do {
            return try Handle("cannot read the tree \(id)", place: path) {
                git_tree_lookup(&$0, handle.pointer, &oid)
            }
        } catch {
            // Callers have the id from a commit or a tree that is here: it must be here too.
            throw error.code == .notFound ? error.damaged : error
        }
    }

    /// libgit2 reads objects whole, and a few bytes of a pack can stand for gigabytes: their size is looked at first.
    private func checkSize(of id: ObjectID, limit: Int) throws(GitError) {
        var type = GIT_OBJECT_INVALID
        var size = 0
        var oid = id.oid
        // What is missing or damaged is told by the reading itself.
        guard git_odb_read_header(&size, &type, database.pointer, &oid) == 0, size > limit else { return }
        throw GitError(
            .tooLarge, "the object \(id) has \(size) bytes; of its kind at most \(limit) are read", place: path,
            hint: "no sound repository has such objects")
    }

    private static var commitLimit: Int { 8 << 20 }
    private static var treeLimit: Int { 64 << 20 }

    /// The tree that a commit, or a tree itself, stands for.
    func treeID(of id: ObjectID) throws(GitError) -> ObjectID {
        var type = GIT_OBJECT_INVALID
        var size = 0
        var oid = id.oid
        try check("cannot read the object \(id)", place: path) {
            git_odb_read_header(&size, &type, database.pointer, &oid)
        }
        switch type {
        case GIT_OBJECT_TREE: return id
        case GIT_OBJECT_COMMIT: return try commit(id).tree
        default: throw GitError(.invalid, "the object \(id) is neither a commit nor a tree", place: path)
        }
    }

    /// Lists a tree in git's order.
    ///
    /// - Parameters:
    ///   - directory: only what is below this path; "" is everything.
    ///   - includingDirectories: in a recursive listing, list each directory before what it holds.
    ///   - limit: how many entries are listed at most; trees that share subtrees can name more than any memory holds.
    func entries(
        of id: ObjectID, under directory: String, recursive: Bool, includingDirectories: Bool, limit: Int
    ) throws(GitError) -> [TreeEntry] {
        var root = try treeID(of: id)
        var prefix: [UInt8] = []
        if !directory.isEmpty {
            guard let entry = try self.entry(at: directory, in: id), entry.mode == .directory else {
                throw GitError(.notFound, "there is no directory '\(directory)' in \(id.short)", place: path)
            }
            root = entry.id
            prefix = entry.pathBytes + [UInt8(ascii: "/")]
        }
        var result: [TreeEntry] = []
        // A stack of our own: the depth of a hostile tree must not be the depth of the thread's stack.
        var stack: [(entries: [TreeEntry], next: Int)] = [(try children(of: root, prefix: prefix), 0)]
        while let (entries, next) = stack.last {
            guard next < entries.count else {
                stack.removeLast()
                continue
            }
            stack[stack.count - 1].next += 1
            let entry = entries[next]
            let descends = recursive && entry.mode == .directory
            if !descends || includingDirectories {
                guard result.count < limit else {
                    throw GitError(.tooLarge, "the tree of \(id.short) has more than \(limit) entries", place: path)
                }
                result.append(entry)
            }
            if descends {
                guard stack.count < Self.maximumDepth else {
                    throw GitError(.tooLarge, "the tree of \(id.short) is nested too deeply", place: path)
                }
                stack.append((try children(of: entry.id, prefix: entry.pathBytes + [UInt8(ascii: "/")]), 0))
            }
        }
        return result
    }

    private static var maximumDepth: Int { 1024 }

    private func children(of id: ObjectID, prefix: [UInt8]) throws(GitError) -> [TreeEntry] {
        let tree = try treeHandle(id)
        let count = git_tree_entrycount(tree.pointer)
        var result: [TreeEntry] = []
        result.reserveCapacity(count)
        var previous = UnsafeRawBufferPointer(start: nil, count: 0)
        for index in 0..<count {
            guard let entry = git_tree_entry_byindex(tree.pointer, index), let name = git_tree_entry_name(entry),
                let oid = git_tree_entry_id(entry)
            else { continue }
            guard let mode = TreeEntry.Mode(git_tree_entry_filemode(entry)) else {
                throw GitError(.corrupt, "the tree \(id) has an entry of an unknown kind", place: path)
            }
            let bytes = UnsafeRawBufferPointer(start: name, count: strlen(name))
            if let reason = Self.problem(withName: bytes) {
                throw GitError(
                    .invalid, "the tree \(id) has an entry \(reason)", place: path,
                    cause: "in '\(Redaction.serverText(prefix, limit: 300))'",
                    hint: "git itself does not check such a tree out; remove the entry from the repository")
            }
            if previous.elementsEqual(bytes) {
                throw GitError(
                    .invalid, "the tree \(id) names one entry twice", place: path,
                    cause: "'\(Redaction.serverText(prefix + bytes, limit: 300))'",
                    hint: "git fsck finds such trees; commit the directory anew")
            }
            previous = bytes
            result.append(TreeEntry(pathBytes: prefix + bytes, mode: mode, id: ObjectID(oid.pointee)))
        }
        return result
    }

    /// Why a name cannot be one of a tree (git-fsck: hasDot, hasDotdot, hasDotgit, fullPathname, emptyName).
    private static func problem(withName name: UnsafeRawBufferPointer) -> String? {
        switch name.count {
        case 0: return "without a name"
        case 1 where name[0] == UInt8(ascii: "."): return "named '.'"
        case 2 where name[0] == UInt8(ascii: ".") && name[1] == UInt8(ascii: "."): return "named '..'"
        case 4 where zip(name, ".git".utf8).allSatisfy({ $0 | 0x20 == $1 | 0x20 }) && name[0] == UInt8(ascii: "."):
            return "named '.git'"
        default: return name.contains(UInt8(ascii: "/")) ? "with a '/' in its name" : nil
        }
    }

    /// What is at a path; `nil` when nothing is. "" is the root.
    func entry(at entryPath: String, in id: ObjectID) throws(GitError) -> TreeEntry? {
        let root = try treeID(of: id)
        if entryPath.isEmpty { return TreeEntry(pathBytes: [], mode: .directory, id: root) }
        let tree = try treeHandle(root)
        var made: OpaquePointer?
        let status = git_tree_entry_bypath(&made, tree.pointer, entryPath)
        if status == GIT_ENOTFOUND.rawValue { return nil }
        guard status >= 0, let made else {
            throw .last(status, "cannot look up '\(entryPath)' in \(id.short)", place: path)
        }
        defer { git_tree_entry_free(made) }
        guard let oid = git_tree_entry_id(made), let mode = TreeEntry.Mode(git_tree_entry_filemode(made)) else {
            throw GitError(.corrupt, "the entry '\(entryPath)' is damaged", place: path)
        }
        return TreeEntry(pathBytes: Array(entryPath.utf8), mode: mode, id: ObjectID(oid.pointee))
    }

    /// A blob's size, from the object's header.
    func size(of id: ObjectID) throws(GitError) -> Int {
        var type = GIT_OBJECT_INVALID
        var size = 0
        var oid = id.oid
        let status = git_odb_read_header(&size, &type, database.pointer, &oid)
        guard status >= 0 else {
            let error = GitError.last(status, "cannot read the blob \(id)", place: path)
            throw status == GIT_ENOTFOUND.rawValue ? error.damaged : error
        }
        guard type == GIT_OBJECT_BLOB else { throw GitError(.invalid, "the object \(id) is not a blob", place: path) }
        return size
    }

    /// Lends a blob's bytes, which libgit2 holds in memory meanwhile.
    func withBlob<Result>(
        _ id: ObjectID, limit: Int, _ body: (UnsafeRawBufferPointer) throws(GitError) -> Result
    ) throws(GitError) -> Result {
        let size = try size(of: id)
        guard size <= limit else {
            throw GitError(.tooLarge, "the blob \(id) has \(size) bytes; at most \(limit) are read here", place: path)
        }
        var oid = id.oid
        let object = try Handle<DatabaseObjectKind>("cannot read the blob \(id)", place: path) {
            git_odb_read(&$0, database.pointer, &oid)
        }
        return try body(
            UnsafeRawBufferPointer(
                start: git_odb_object_data(object.pointer), count: git_odb_object_size(object.pointer)))
    }
}

extension GitError {
    /// The same, known to be a fault of the mirror.
    fileprivate var damaged: GitError {
        var error = self
        error.code = .corrupt
        error.hint = "the mirror is incomplete; it is made anew with the next fetch"
        return error
    }
}

extension Signature {
    init(_ signature: git_signature) {
        self.init(
            name: signature.name.map { String(cString: $0) } ?? "",
            email: signature.email.map { String(cString: $0) } ?? "",
            time: signature.when.time, offsetMinutes: Int(signature.when.offset))
    }
}
