import Synchronization

/// A context's files as a tree, without those that `.dockerignore` takes away.
struct ContextTree: Sendable {
    struct Item: Sendable {
        fileprivate let place: Int
    }

    let context: any BuildContext
    private let listing: ContextListing
    /// Of the folder that is the root here.
    private let top: Int
    /// What the folders hold, one folder after the other, by name.
    private let children: [UInt32]
    /// Where in `children` a folder's begin; they end where those of the next place begin.
    private let starts: [UInt32]
    private let identified = IdentifiedFiles()
    /// Whether the context said of every file what identifies its content.
    let isIdentified: Bool

    /// Reads the listing of a context.
    ///
    /// - Parameters:
    ///   - folder: what becomes the root, `""` for all.
    ///   - isIgnored: by path below that root; `nil`: nothing is. Folders that hold something which is not ignored are kept.
    init(
        _ context: any BuildContext, folder: String, isIgnored: (([UInt8]) -> Bool)? = nil
    ) async throws(BuildError) {
        let prefix = ImagePath(folder)
        let listing = try await context.listing(under: prefix.joined.text)
        self.init(context, listing, below: prefix, isIgnored: isIgnored)
    }

    init(
        _ context: any BuildContext, _ listing: ContextListing, below prefix: ImagePath,
        isIgnored: (([UInt8]) -> Bool)?
    ) {
        self.context = context
        self.listing = listing
        let found = listing.place(of: prefix)
        top = found ?? ContextListing.root
        var selection = ContextSelection(listing, top: top)
        if found != nil { selection.show(isIgnored: isIgnored) }
        isIdentified = selection.shown.allSatisfy { !listing.isFile($0) || listing.isIdentified($0) }
        (starts, children) = selection.grouped()
    }

    var root: Item { Item(place: top) }

    /// The one that the context lists. The root is a folder like one that nobody listed.
    func entry(of item: Item) -> ContextEntry {
        item.place == top ? ContextEntry(pathBytes: [], kind: .directory, mode: 0o755) : listing[item.place]
    }

    func isDirectory(_ item: Item) -> Bool { listing.isDirectory(item.place) }
    func isSymlink(_ item: Item) -> Bool { listing.isSymlink(item.place) }

    /// Everything, in the order of a walk: a folder before what it holds, names in the order of their bytes.
    var entries: [ContextEntry] {
        var entries: [ContextEntry] = []
        var pending = Array(below(top).reversed())
        while let place = pending.popLast() {
            entries.append(listing[Int(place)])
            pending += below(Int(place)).reversed()
        }
        return entries
    }

    // MARK: Content

    /// Finds out what identifies the content of files, all at once; what is not a file is passed over.
    func identify(_ items: [Item]) async throws(BuildError) {
        let unknown = items.map(\.place).filter { place in
            listing.isFile(place) && !listing.isIdentified(place) && !identified.isKnown(place)
        }
        guard !unknown.isEmpty else { return }
        let found = try await context.contentIDs(of: ContextFiles(listing, at: unknown))
        identified.remember(found, at: unknown)
    }

    func isIdentified(_ item: Item) -> Bool { listing.isIdentified(item.place) }

    /// Of a file that was identified.
    func contentID(of item: Item) throws(BuildError) -> String {
        guard let known = listing.contentID(item.place) ?? identified[item.place] else {
            throw BuildError(.context, "cannot read \(entry(of: item).path): it is not a file")
        }
        return known
    }

    // MARK: Folders

    private func below(_ place: Int) -> ArraySlice<UInt32> { children[Int(starts[place])..<Int(starts[place + 1])] }

    func children(of item: Item) -> [(name: FileName, item: Item)] {
        below(item.place).map { (FileName(listing.name(of: Int($0))), Item(place: Int($0))) }
    }

    func child(_ name: FileName, of item: Item) -> Item? {
        let children = below(item.place)
        var low = children.startIndex
        var high = children.endIndex
        while low < high {
            let middle = (low + high) / 2
            if listing.name(of: Int(children[middle])).lexicographicallyPrecedes(name) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        guard low < children.endIndex, listing.name(of: Int(children[low])).elementsEqual(name) else { return nil }
        return Item(place: Int(children[low]))
    }
}

/// What was found out of a tree's files, by their place in the list.
private final class IdentifiedFiles: Sendable {
    private let known = Mutex(ContentIDs())

    func isKnown(_ place: Int) -> Bool { known.withLock { $0.isKnown(at: place) } }

    subscript(place: Int) -> String? { known.withLock { $0[place] } }

    func remember(_ found: ContentIDs, at places: [Int]) {
        known.withLock { known in
            for (number, place) in places.enumerated() { known[place] = found[number] }
        }
    }
}
