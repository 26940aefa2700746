package import Git
import Glibc

/// The files of one revision, by path.
package struct RevisionTree: Sendable {
    package let revision: Commit
    /// Sorted by path, as git keeps them.
    package let entries: [TreeEntry]
    /// Places in `entries` in the order of their paths; `nil` where `entries` has that order, as in every sound tree.
    private let order: [Int]?

    package init(revision: Commit, entries: [TreeEntry]) {
        self.revision = revision
        self.entries = entries
        let isSorted = zip(entries, entries.dropFirst()).allSatisfy { Self.precedes($0.path, $1.path) }
        order = isSorted ? nil : entries.indices.sorted { Self.precedes(entries[$0].path, entries[$1].path) }
    }

    /// Whether the paths of `entries` ascend.
    var isSorted: Bool { order == nil }

    /// By bytes.
    static func precedes(_ left: String, _ right: String) -> Bool {
        let comparison = left.utf8.withContiguousStorageIfAvailable { left in
            right.utf8.withContiguousStorageIfAvailable { right -> Bool in
                let count = min(left.count, right.count)
                var order: Int32 = 0
                if let base = left.baseAddress, let other = right.baseAddress { order = memcmp(base, other, count) }
                return order != 0 ? order < 0 : left.count < right.count
            }
        }
        return (comparison ?? nil) ?? left.utf8.lexicographicallyPrecedes(right.utf8)
    }

    /// The first entry whose path is not before this one.
    private func first(from path: String) -> TreeEntry? {
        var (low, high) = (0, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if Self.precedes(entries[order?[middle] ?? middle].path, path) { low = middle + 1 } else { high = middle }
        }
        return low < entries.count ? entries[order?[low] ?? low] : nil
    }

    /// The regular file at a path; `nil` where there is none, or something else.
    package func file(_ path: String) -> TreeEntry? {
        guard let entry = entry(path), entry.mode == .file || entry.mode == .executable
        else {
            return nil
        }
        return entry
    }

    package func entry(_ path: String) -> TreeEntry? {
        guard let entry = first(from: path), entry.path.utf8.elementsEqual(path.utf8) else { return nil }
        return entry
    }

    /// Whether something is below a path; "" is the root.
    package func isDirectory(_ path: String) -> Bool {
        path.isEmpty || first(from: path + "/").map { $0.path.utf8.starts(with: (path + "/").utf8) } ?? false
    }
}
