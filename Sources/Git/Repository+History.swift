import CGit2

extension Repository {
    /// Commits reachable from one, newest first, children before parents.
    func log(from id: ObjectID, limit: Int, notReachableFrom excluded: ObjectID?) throws(GitError) -> [Commit] {
        let walk = try Handle<WalkKind>("cannot walk the history of \(id.short)", place: path) {
            git_revwalk_new(&$0, handle.pointer)
        }
        _ = git_revwalk_sorting(walk.pointer, GIT_SORT_TOPOLOGICAL.rawValue | GIT_SORT_TIME.rawValue)
        var start = id.oid
        try check("cannot walk the history of \(id.short)", place: path) { git_revwalk_push(walk.pointer, &start) }
        if let excluded, exists(excluded) {
            var end = excluded.oid
            try check("cannot walk the history of \(id.short)", place: path) { git_revwalk_hide(walk.pointer, &end) }
        }
        var result: [Commit] = []
        while result.count < limit {
            var oid = git_oid()
            let status = git_revwalk_next(&oid, walk.pointer)
            if status == GIT_ITEROVER.rawValue { break }
            guard status >= 0 else { throw .last(status, "cannot walk the history of \(id.short)", place: path) }
            result.append(try commit(ObjectID(oid)))
        }
        return result
    }

    /// Whether `ancestor` is `id` itself or reachable from it.
    func isAncestor(_ ancestor: ObjectID, of id: ObjectID) throws(GitError) -> Bool {
        if ancestor == id { return true }
        guard exists(ancestor) else { return false }
        var old = ancestor.oid
        var new = id.oid
        let status = git_graph_descendant_of(handle.pointer, &new, &old)
        guard status >= 0 else { throw .last(status, "cannot compare \(ancestor.short) and \(id.short)", place: path) }
        return status == 1
    }

    /// The paths whose entries differ between two commits or trees, sorted, each once.
    func changedPaths(from old: ObjectID?, to new: ObjectID) throws(GitError) -> [String] {
        let diff = try diffHandle(from: old, to: new, flags: GIT_DIFF_SKIP_BINARY_CHECK.rawValue)
        var paths: Set<String> = []
        for index in 0..<git_diff_num_deltas(diff.pointer) {
            guard let delta = git_diff_get_delta(diff.pointer, index) else { continue }
            for name in [delta.pointee.old_file.path, delta.pointee.new_file.path] {
                if let name { paths.insert(String(cString: name)) }
            }
        }
        return paths.sorted()
    }

    /// The change between two commits or trees, as `git diff` prints it. `nil` for `old` is the empty tree.
    func diff(from old: ObjectID?, to new: ObjectID, limit: Int) throws(GitError) -> String {
        let diff = try diffHandle(from: old, to: new, flags: GIT_DIFF_INDENT_HEURISTIC.rawValue)
        // git finds renames unless told otherwise (diff.renames).
        var options = git_diff_find_options()
        git_diff_find_options_init(&options, UInt32(GIT_DIFF_FIND_OPTIONS_VERSION))
        options.flags = GIT_DIFF_FIND_RENAMES.rawValue
        options.rename_limit = 1000
        try check("cannot compare \(new.short)", place: path) { git_diff_find_similar(diff.pointer, &options) }

        let collector = DiffText(limit: limit)
        let status = git_diff_print(
            diff.pointer, GIT_DIFF_FORMAT_PATCH,
            { delta, _, line, payload in
                guard let delta, let line, let payload else { return -1 }
                return Unmanaged<DiffText>.fromOpaque(payload).takeUnretainedValue().append(
                    line.pointee, of: delta.pointee)
            }, Unmanaged.passUnretained(collector).toOpaque())
        return try withExtendedLifetime(collector) { () throws(GitError) -> String in
            if collector.isFull {
                throw GitError(.tooLarge, "the difference to \(new.short) is longer than \(limit) bytes", place: path)
            }
            guard status >= 0 else { throw .last(status, "cannot print the difference to \(new.short)", place: path) }
            return String(decoding: collector.bytes, as: UTF8.self)
        }
    }

    private func diffHandle(from old: ObjectID?, to new: ObjectID, flags: UInt32) throws(GitError) -> Handle<DiffKind> {
        var options = git_diff_options()
        git_diff_options_init(&options, UInt32(GIT_DIFF_OPTIONS_VERSION))
        options.flags |= flags
        let newTree = try treeHandle(try treeID(of: new))
        let summary = "cannot compare \(old?.short ?? "nothing") and \(new.short)"
        guard let old else {
            return try Handle(summary, place: path) {
                git_diff_tree_to_tree(&$0, handle.pointer, nil, newTree.pointer, &options)
            }
        }
        let oldTree = try treeHandle(try treeID(of: old))
        return try Handle(summary, place: path) {
            git_diff_tree_to_tree(&$0, handle.pointer, oldTree.pointer, newTree.pointer, &options)
        }
    }
}

/// Collects the lines of a patch up to a limit.
private final class DiffText {
    private(set) var bytes: [UInt8] = []
    private(set) var isFull = false
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    func append(_ line: git_diff_line, of delta: git_diff_delta) -> Int32 {
        guard let content = line.content, bytes.count <= limit - line.content_len else {
            isFull = true
            return GIT_EUSER.rawValue
        }
        let origin = UInt8(bitPattern: line.origin)
        if origin == UInt8(ascii: " ") || origin == UInt8(ascii: "+") || origin == UInt8(ascii: "-") {
            bytes.append(origin)
        }
        let text = UnsafeRawBufferPointer(start: content, count: line.content_len)
        if origin == UInt8(ascii: "F") {
            bytes += Self.asGitPrints(header: text, omittingNames: Self.hasNoLines(delta))
        } else {
            bytes += text
        }
        return 0
    }

    /// A file's header the way git prints it: no names for an empty file that comes or goes, and a tab after a name with
    /// a space, where libgit2 differs.
    private static func asGitPrints(header: UnsafeRawBufferPointer, omittingNames: Bool) -> [UInt8] {
        var result: [UInt8] = []
        for line in header.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true) {
            let isName = line.starts(with: "--- ".utf8) || line.starts(with: "+++ ".utf8)
            if isName && omittingNames { continue }
            result += line
            if isName && line.dropFirst(4).contains(UInt8(ascii: " ")) { result.append(UInt8(ascii: "\t")) }
            result.append(UInt8(ascii: "\n"))
        }
        return result
    }

    private static func hasNoLines(_ delta: git_diff_delta) -> Bool {
        switch delta.status {
        case GIT_DELTA_ADDED: ObjectID(delta.new_file.id) == emptyBlob
        case GIT_DELTA_DELETED: ObjectID(delta.old_file.id) == emptyBlob
        default: false
        }
    }

    private static let emptyBlob = try? ObjectID(hex: "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")
}
