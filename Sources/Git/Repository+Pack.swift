import CGit2

extension Repository {
    /// Keeps in memory what is written from now on, until `writePack` stores it.
    func keepWritesInMemory() throws(GitError) {
        var backend: OpaquePointer?
        try check("cannot hold new objects in memory", place: path) { git_mempack_new(&backend) }
        // It is asked before all others, and belongs to the database from here on.
        try check("cannot hold new objects in memory", place: path) {
            git_odb_add_backend(database.pointer, backend, 1000)
        }
    }

    /// Stores objects in one pack: hundreds of files of their own take many times as long.
    func writePack(of ids: [ObjectID]) throws(GitError) {
        let repository = handle.pointer
        let failure = "cannot store the new objects"
        let builder = try Handle<PackBuilderKind>(failure, place: path) { git_packbuilder_new(&$0, repository) }
        _ = git_packbuilder_set_threads(builder.pointer, 0)
        for id in ids {
            var oid = id.oid
            try check(failure, place: path) { git_packbuilder_insert(builder.pointer, &oid, nil) }
        }
        try PackSink.store(builder, of: self, in: packDirectory, failure: failure)
    }

    /// The objects that a commit has instead of its parent's: itself, and what stands at the edited paths and above them.
    func objects(of commit: ObjectID, at files: some Sequence<String>) throws(GitError) -> [ObjectID] {
        let tree = try self.commit(commit).tree
        var ids = [commit, tree]
        var seen: Set<String> = []
        for file in files.sorted() {
            var path = file[...]
            while !path.isEmpty, seen.insert(String(path)).inserted {
                if let entry = try entry(at: String(path), in: tree), entry.mode != .submodule { ids.append(entry.id) }
                path = path.lastIndex(of: "/").map { path[..<$0] } ?? ""
            }
        }
        return ids
    }
}
