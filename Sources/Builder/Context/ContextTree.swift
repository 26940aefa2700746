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
    /// Whether the context said of every file what identifies its content.
    let isIdentified: Bool

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
        isIdentified = entries.allSatisfy { $0.kind != .file || $0.contentID != nil }
        slots = [Slot(entry: ContextEntry(pathBytes: [], kind: .directory, mode: 0o755))]
        slots.reserveCapacity(entries.count + 1)
        var folders = Folders()
        let above = prefix.joined
        for entry in entries {
            guard let relative = Self.path(entry.pathBytes, below: above) else { continue }
            let isLeftOut: Bool
            if above.isEmpty {
                isLeftOut = isIgnored(entry)
            } else {
                var shown = entry
                shown.pathBytes = relative
                isLeftOut = isIgnored(shown)
            }
            if isLeftOut {
                if entry.kind == .directory { folders.ignored[relative] = entry }
                continue
            }
            insert(entry, relative, &folders)
        }
        for index in slots.indices where slots[index].children.count > 1 { sortChildren(of: index) }
    }

    /// A path below a folder, with empty names and `.` taken away; `nil` of what is elsewhere or leads elsewhere.
    private static func path(_ path: [UInt8], below folder: [UInt8]) -> [UInt8]? {
        var normal = path
        if !isNormal(path) {
            let names = ImagePath.split(path)
            if names.contains([0x2e, 0x2e]) { return nil }
            normal = Array(names.joined(separator: [0x2f]))
        }
        if folder.isEmpty { return normal.isEmpty ? nil : normal }
        guard normal.count > folder.count + 1, normal[folder.count] == 0x2f, normal.starts(with: folder) else {
            return nil
        }
        return Array(normal[(folder.count + 1)...])
    }

    /// Whether a path has neither empty names nor names of dots only.
    private static func isNormal(_ path: [UInt8]) -> Bool {
        var hasOther = false
        for byte in path {
            if byte == 0x2f {
                guard hasOther else { return false }
                hasOther = false
            } else if byte != 0x2e {
                hasOther = true
            }
        }
        return hasOther
    }

    /// Where the folders are whose files come.
    private struct Folders {
        var known: [[UInt8]: Int] = [[]: 0]
        /// A folder that is left out may hold something that is not, and keeps its mode then.
        var ignored: [[UInt8]: ContextEntry] = [:]
        /// Files of one folder come one after the other.
        var latest: (path: [UInt8], index: Int) = ([], 0)
    }

    /// The entry keeps its full path, by which the context reads it.
    private mutating func insert(_ entry: ContextEntry, _ path: [UInt8], _ folders: inout Folders) {
        let cut = path.lastIndex(of: 0x2f)
        let name = cut.map { FileName(path[($0 + 1)...]) } ?? path
        let parent = folder(path[..<(cut ?? 0)], &folders)
        if entry.kind == .directory, let known = folders.known[path] {
            slots[known].entry = entry
            return
        }
        slots.append(Slot(entry: entry))
        slots[parent].children.append((name, slots.count - 1))
        if entry.kind == .directory { folders.known[path] = slots.count - 1 }
    }

    private mutating func folder(_ path: ArraySlice<UInt8>, _ folders: inout Folders) -> Int {
        if folders.latest.path.elementsEqual(path) { return folders.latest.index }
        let whole = Array(path)
        if folders.known[whole] == nil {
            insert(
                folders.ignored[whole] ?? ContextEntry(pathBytes: whole, kind: .directory, mode: 0o755), whole, &folders
            )
        }
        let index = folders.known[whole] ?? 0
        folders.latest = (whole, index)
        return index
    }

    /// By name; of equal names the last one counts.
    private mutating func sortChildren(of index: Int) {
        let children = slots[index].children
        let isSorted = zip(children, children.dropFirst()).allSatisfy { $0.name.lexicographicallyPrecedes($1.name) }
        if isSorted { return }
        var sorted: [(name: FileName, index: Int)] = []
        sorted.reserveCapacity(children.count)
        for child in children.sorted(by: {
            $0.name == $1.name ? $0.index < $1.index : $0.name.lexicographicallyPrecedes($1.name)
        }) {
            if sorted.last?.name == child.name { sorted.removeLast() }
            sorted.append(child)
        }
        slots[index].children = sorted
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

    /// Of a file that was identified.
    func contentID(of item: Item) throws(BuildError) -> String {
        guard let known = item.entry.contentID ?? identified[item.index] else {
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
