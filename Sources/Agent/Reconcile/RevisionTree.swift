package import Git

/// The files of one revision, by path.
package struct RevisionTree: Sendable {
    package let revision: Commit
    /// Sorted by path, as git keeps them.
    package let entries: [TreeEntry]
    private let indexByPath: [String: Int]
    private let directories: Set<String>

    package init(revision: Commit, entries: [TreeEntry]) {
        self.revision = revision
        self.entries = entries
        var index: [String: Int] = [:]
        index.reserveCapacity(entries.count)
        var directories: Set<String> = [""]
        for (position, entry) in entries.enumerated() {
            index[entry.path] = position
            var rest = entry.path[...]
            while let slash = rest.lastIndex(of: "/") {
                rest = rest[..<slash]
                if !directories.insert(String(rest)).inserted { break }
            }
        }
        indexByPath = index
        self.directories = directories
    }

    /// The regular file at a path; `nil` where there is none, or something else.
    package func file(_ path: String) -> TreeEntry? {
        guard let entry = indexByPath[path].map({ entries[$0] }), entry.mode == .file || entry.mode == .executable
        else {
            return nil
        }
        return entry
    }

    package func entry(_ path: String) -> TreeEntry? { indexByPath[path].map { entries[$0] } }

    package func isDirectory(_ path: String) -> Bool { directories.contains(path) }
}
