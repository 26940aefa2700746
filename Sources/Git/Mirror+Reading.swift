extension Mirror {
    /// A commit that is in the mirror.
    package func commit(_ id: ObjectID) throws(GitError) -> Commit {
        try reading { (r) throws(GitError) in try r.commit(id) }
    }

    /// Lists the tree of a commit (or a tree) in git's order, which sorts full paths by their bytes.
    ///
    /// - Parameters:
    ///   - directory: lists only what is below this path; paths stay relative to the root.
    ///   - recursive: list files in all directories; otherwise only one level, with its directories.
    ///   - includingDirectories: in a recursive listing, name each directory before what is in it.
    package func entries(
        of id: ObjectID, under directory: String = "", recursive: Bool = true, includingDirectories: Bool = false,
        limit: Int = 2_000_000
    ) throws(GitError) -> [TreeEntry] {
        try reading { (r) throws(GitError) in
            try r.entries(
                of: id, under: directory, recursive: recursive, includingDirectories: includingDirectories, limit: limit
            )
        }
    }

    /// What is at a path of a commit (or a tree); `nil` when nothing is. "" is the root.
    package func objectID(at path: String, in id: ObjectID) throws(GitError) -> TreeEntry? {
        try reading { (r) throws(GitError) in try r.entry(at: path, in: id) }
    }

    /// A blob's whole content; `.tooLarge` when it has more than `limit` bytes.
    package func blob(_ id: ObjectID, limit: Int) throws(GitError) -> [UInt8] {
        try reading { (r) throws(GitError) in try r.withBlob(id, limit: limit) { Array($0) } }
    }

    /// A blob's size in bytes.
    package func size(of id: ObjectID) throws(GitError) -> Int {
        try reading { (r) throws(GitError) in try r.size(of: id) }
    }

    /// Sizes of many blobs, in the order asked.
    package func sizes(of ids: [ObjectID]) throws(GitError) -> [Int] {
        try reading { (r) throws(GitError) in
            var sizes: [Int] = []
            sizes.reserveCapacity(ids.count)
            for id in ids { sizes.append(try r.size(of: id)) }
            return sizes
        }
    }

    /// A reader of its own for synchronous code on other threads.
    package nonisolated func reader() throws(GitError) -> ObjectReader { try ObjectReader(path: path) }

    /// Commits reachable from one, newest first; with `notReachableFrom`, only those that are new since then.
    package func log(
        from id: ObjectID, limit: Int, notReachableFrom old: ObjectID? = nil
    ) throws(GitError) -> [Commit] {
        try reading { (r) throws(GitError) in try r.log(from: id, limit: limit, notReachableFrom: old) }
    }

    /// The paths that differ between two commits (or trees), sorted. `nil` for `old` is the empty tree.
    package func changedPaths(from old: ObjectID?, to new: ObjectID) throws(GitError) -> [String] {
        try reading { (r) throws(GitError) in try r.changedPaths(from: old, to: new) }
    }

    /// Whether `ancestor` is `id` or reachable from it. Unknown commits are nobody's ancestors.
    package func isAncestor(_ ancestor: ObjectID, of id: ObjectID) throws(GitError) -> Bool {
        try reading { (r) throws(GitError) in try r.isAncestor(ancestor, of: id) }
    }

    /// The change between two commits (or trees) as `git diff` prints it, up to `limit` bytes.
    package func diff(from old: ObjectID?, to new: ObjectID, limit: Int = 64 << 20) throws(GitError) -> String {
        try reading { (r) throws(GitError) in try r.diff(from: old, to: new, limit: limit) }
    }
}
