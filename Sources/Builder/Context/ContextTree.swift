import Synchronization

/// A context's files as a tree, without those that `.dockerignore` takes away.
struct ContextTree: Sendable {
    struct Item: Sendable {
        fileprivate let index: Int
        let entry: ContextEntry
    }

    private struct Slot: Sendable {
        var entry: ContextEntry
        var children: [(name: FileName, index: Int)] = []
    }

    let context: any BuildContext
    private var slots: [Slot]
    private let identified = IdentifiedFiles()

    /// Reads the listing of a context.
    ///
    /// - Parameters:
    ///   - folder: what becomes the root, `""` for all.
    ///   - isIgnored: by path below that root. Folders that hold something which is not ignored are kept.
    init(
        _ context: any BuildContext, folder: String, isIgnored: (ContextEntry) -> Bool = { _ in false }
    ) async throws(BuildError) {
        let prefix = ImagePath(folder)
        let entries = try await context.entries(under: prefix.joined.text)
        self.init(context, entries: entries, below: prefix, isIgnored: isIgnored)
    }

    init(
        _ context: any BuildContext, entries: [ContextEntry], below prefix: ImagePath,
        isIgnored: (ContextEntry) -> Bool
    ) {
        self.context = context
        slots = [Slot(entry: ContextEntry(pathBytes: [], kind: .directory, mode: 0o755))]
        var known: [[UInt8]: Int] = [[]: 0]
        known.reserveCapacity(entries.count)
        let depth = prefix.components.count
        // A folder that is left out may hold something that is not, and keeps its mode then.
        var ignoredFolders: [[UInt8]: ContextEntry] = [:]
        for entry in entries {
            var names = ImagePath.split(entry.pathBytes)
            guard names.count > depth, Array(names[..<depth]) == prefix.components,
                !names.contains([0x2e, 0x2e])
            else { continue }
            names.removeFirst(depth)
            var relative = entry
            relative.pathBytes = Array(names.joined(separator: [0x2f]))
            if isIgnored(relative) {
                if entry.kind == .directory { ignoredFolders[relative.pathBytes] = entry }
                continue
            }
            insert(entry, names, &known, ignoredFolders)
        }
        for index in slots.indices {
            slots[index].children.sort { $0.name.lexicographicallyPrecedes($1.name) }
        }
    }

    /// The entry keeps its full path, by which the context reads it.
    private mutating func insert(
        _ entry: ContextEntry, _ names: [FileName], _ known: inout [[UInt8]: Int],
        _ ignoredFolders: [[UInt8]: ContextEntry]
    ) {
        var parent = 0
        var path: [UInt8] = []
        for (position, name) in names.enumerated() {
            if position > 0 { path.append(0x2f) }
            path += name
            let isLast = position == names.count - 1
            if let index = known[path] {
                if isLast { slots[index].entry = entry }
                parent = index
                continue
            }
            let made =
                isLast ? entry : ignoredFolders[path] ?? ContextEntry(pathBytes: path, kind: .directory, mode: 0o755)
            slots.append(Slot(entry: made))
            let index = slots.count - 1
            slots[parent].children.append((name, index))
            known[path] = index
            parent = index
        }
    }

    var root: Item { item(0) }

    // MARK: Content

    /// Finds out what identifies the content of files, all at once; what is not a file is passed over.
    func identify(_ items: [Item]) async throws(BuildError) {
        let unknown = items.filter { item in
            item.entry.kind == .file && item.entry.contentID == nil && identified[item.index] == nil
        }
        guard !unknown.isEmpty else { return }
        let found = try await context.contentIDs(of: unknown.map(\.entry))
        for (item, id) in zip(unknown, found) { identified[item.index] = id }
    }

    func contentID(of item: Item) async throws(BuildError) -> String {
        if let known = item.entry.contentID { return known }
        try await identify([item])
        guard let known = identified[item.index] else {
            throw BuildError(.context, "cannot read \(item.entry.path): it is not a file")
        }
        return known
    }

    private func item(_ index: Int) -> Item { Item(index: index, entry: slots[index].entry) }

    func children(of item: Item) -> [(name: FileName, item: Item)] {
        slots[item.index].children.map { ($0.name, self.item($0.index)) }
    }

    func child(_ name: FileName, of item: Item) -> Item? {
        let children = slots[item.index].children
        var low = 0
        var high = children.count
        while low < high {
            let middle = (low + high) / 2
            if children[middle].name.lexicographicallyPrecedes(name) { low = middle + 1 } else { high = middle }
        }
        guard low < children.count, children[low].name == name else { return nil }
        return self.item(children[low].index)
    }
}

/// What was found out of a tree's files, by their place in it.
private final class IdentifiedFiles: Sendable {
    private let known = Mutex<[Int: String]>([:])

    subscript(index: Int) -> String? {
        get { known.withLock { $0[index] } }
        set { known.withLock { $0[index] = newValue } }
    }
}
