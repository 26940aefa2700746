/// What a context holds, packed: some 90 bytes for a file beside its name. A context may have hundreds of thousands of files, and a
/// `ContextEntry` takes three times as much; it is made when somebody looks at it.
///
/// A folder comes before what it holds; the first is the context's root.
package struct ContextListing: Sendable {
    private enum Kind: UInt8, Sendable {
        case file, directory, symlink, socket, fifo, unavailable
        /// A folder on the way to something, which the context did not list.
        case passed

        init(_ kind: ContextEntry.Kind) {
            switch kind {
            case .file: self = .file
            case .directory: self = .directory
            case .symlink: self = .symlink
            case .socket: self = .socket
            case .fifo: self = .fifo
            case .unavailable: self = .unavailable
            }
        }
    }

    private struct Record: Sendable {
        var size: Int64
        /// `.min` for none.
        var modified: Int64
        /// In `names`, where the name of the record before ends as well.
        var nameEnd: Int
        var nanoseconds: UInt32
        var parent: UInt32
        /// The place in `extras`, from 1; 0 for none.
        var extra: UInt32
        var mode: UInt16
        var kind: Kind
    }

    /// What few entries have.
    private enum Extra: Sendable {
        case link(ContextEntry.LinkIdentity)
        case target([UInt8])
        /// Where nothing else says all of it.
        indirect case whole(ContextEntry)
    }

    private var records: [Record] = []
    private var names: [UInt8] = []
    private var extras: [Extra] = []
    private var contentIDs = ContentIDs()

    static let root = 0

    package init() { _ = append(named: [], below: Self.root) }

    package init(_ entries: some Sequence<ContextEntry>) {
        var builder = ContextListingBuilder()
        for entry in entries { builder.append(entry) }
        self = builder.listing
    }

    /// Of all entries, the root among them.
    var count: Int { records.count }
    var places: Range<Int> { records.indices }

    // MARK: Looking

    func isDirectory(_ place: Int) -> Bool { records[place].kind == .directory || isPassed(place) }
    func isFile(_ place: Int) -> Bool { records[place].kind == .file }
    func isSymlink(_ place: Int) -> Bool { records[place].kind == .symlink }
    /// Whether it is there for what it holds alone.
    func isPassed(_ place: Int) -> Bool { records[place].kind == .passed }
    func isIdentified(_ place: Int) -> Bool { contentIDs.isKnown(at: place) }
    func contentID(_ place: Int) -> String? { contentIDs[place] }
    /// The folder that it is in; the root is in itself.
    func parent(of place: Int) -> Int { Int(records[place].parent) }

    private func nameRange(_ place: Int) -> Range<Int> {
        (place == Self.root ? 0 : records[place - 1].nameEnd)..<records[place].nameEnd
    }

    func name(of place: Int) -> ArraySlice<UInt8> { names[nameRange(place)] }

    /// The path from a folder that it is in.
    func path(of place: Int, below top: Int = root) -> [UInt8] {
        var way: [Int] = []
        var here = place
        while here != top, here != Self.root {
            way.append(here)
            here = parent(of: here)
        }
        var path: [UInt8] = []
        path.reserveCapacity(way.reduce(0) { $0 + nameRange($1).count + 1 })
        for step in way.reversed() {
            if !path.isEmpty { path.append(0x2f) }
            path += name(of: step)
        }
        return path
    }

    subscript(place: Int) -> ContextEntry {
        let record = records[place]
        let extra = record.extra == 0 ? nil : extras[Int(record.extra) - 1]
        if case .whole(var entry)? = extra {
            entry.contentID = contentIDs[place]
            return entry
        }
        let kind: ContextEntry.Kind =
            switch record.kind {
            case .file, .unavailable: .file
            case .directory, .passed: .directory
            case .symlink:
                if case .target(let target)? = extra { .symlink(target: target) } else { .symlink(target: []) }
            case .socket: .socket
            case .fifo: .fifo
            }
        var entry = ContextEntry(
            pathBytes: path(of: place), kind: kind, mode: UInt32(record.mode), size: record.size,
            modified: record.modified == .min ? nil : record.modified, contentID: contentIDs[place])
        entry.modifiedNanoseconds = Int64(record.nanoseconds)
        if case .link(let identity)? = extra { entry.linkIdentity = identity }
        return entry
    }

    /// Whether one name is before another, by their bytes.
    func hasName(_ place: Int, before other: Int) -> Bool {
        name(of: place).lexicographicallyPrecedes(name(of: other))
    }

    func hasSameName(_ place: Int, as other: Int) -> Bool { name(of: place) == name(of: other) }

    /// The last of the entries at a path, which is the one that counts.
    func place(of path: ImagePath) -> Int? {
        // Few look, and none twice: to remember where all are would take more than the list itself.
        var here = [Self.root]
        for name in path.components {
            here = records.indices.dropFirst().filter {
                here.contains(parent(of: $0)) && self.name(of: $0).elementsEqual(name)
            }
        }
        return here.last
    }

    // MARK: Adding

    /// - Parameters:
    ///   - parent: a folder of this list.
    ///   - digest: of a file's content, where the entry does not say it.
    ///   - keepsPath: whether the context knows the entry by another path than that of its place.
    /// - Returns: the entry's place.
    @discardableResult mutating func append(
        _ entry: ContextEntry, named name: some Collection<UInt8>, below parent: Int, digest: [UInt8]? = nil,
        keepsPath: Bool = false
    ) -> Int {
        let place = append(named: name, below: parent)
        set(entry, at: place, kind: Kind(entry.kind), keepsPath: keepsPath)
        if let digest { contentIDs.set(digest: digest, size: entry.size, at: place) }
        return place
    }

    /// A folder that nobody listed.
    mutating func append(passed name: some Collection<UInt8>, below parent: Int) -> Int {
        append(named: name, below: parent)
    }

    private mutating func append(named name: some Collection<UInt8>, below parent: Int) -> Int {
        names.append(contentsOf: name)
        records.append(
            Record(
                size: 0, modified: .min, nameEnd: names.count, nanoseconds: 0, parent: UInt32(parent), extra: 0,
                mode: 0o755, kind: .passed))
        return records.count - 1
    }

    /// What is said of a folder that is in the list already.
    mutating func set(_ entry: ContextEntry, at place: Int) {
        set(entry, at: place, kind: Kind(entry.kind), keepsPath: false)
    }

    private mutating func set(_ entry: ContextEntry, at place: Int, kind: Kind, keepsPath: Bool) {
        records[place].kind = kind
        records[place].size = entry.size
        records[place].modified = entry.modified ?? .min
        records[place].nanoseconds = UInt32(truncatingIfNeeded: entry.modifiedNanoseconds)
        records[place].mode = UInt16(truncatingIfNeeded: entry.mode)
        records[place].extra = 0
        if contentIDs.isKnown(at: place) || entry.contentID != nil { contentIDs[place] = entry.contentID }
        guard let extra = Self.extra(of: entry, keepsPath: keepsPath) else { return }
        extras.append(extra)
        records[place].extra = UInt32(extras.count)
    }

    private static func extra(of entry: ContextEntry, keepsPath: Bool) -> Extra? {
        let isPlain =
            entry.attributes.isEmpty && entry.modified != .min && 0..<1_000_000_000 ~= entry.modifiedNanoseconds
            && !keepsPath
        switch (entry.kind, entry.linkIdentity) {
        case (.symlink(let target), nil) where isPlain: return .target(target)
        case (.symlink, _), (.unavailable, _): return .whole(entry)
        case (_, let identity?) where isPlain: return .link(identity)
        default: return isPlain ? nil : .whole(entry)
        }
    }

    /// Adds the list of one folder, made apart from this one.
    ///
    /// - Returns: where its first entry is now; the others follow.
    mutating func append(contentsOf part: ContextListing, below parent: Int) -> Int {
        let first = records.count
        let (nameShift, extraShift) = (names.count, UInt32(extras.count))
        names += part.names
        extras += part.extras
        for record in part.records.dropFirst() {
            var record = record
            record.parent = UInt32(parent)
            record.nameEnd += nameShift
            if record.extra > 0 { record.extra += extraShift }
            records.append(record)
        }
        contentIDs.append(contentsOf: part.contentIDs, from: 1, at: first)
        return first
    }
}

/// Makes a list of entries that come in any order, each with its path.
package struct ContextListingBuilder: Sendable {
    package private(set) var listing = ContextListing()
    private var known: [[UInt8]: Int] = [[]: ContextListing.root]
    /// Files of one folder come one after the other.
    private var latest: (path: [UInt8], place: Int) = ([], ContextListing.root)

    package init() {}

    /// What leads out of the context is left out.
    package mutating func append(_ entry: ContextEntry) {
        guard let path = Self.normal(entry.pathBytes), !path.isEmpty else { return }
        if entry.kind == .directory, let place = known[path] {
            if place != ContextListing.root { listing.set(entry, at: place) }
            return
        }
        let cut = path.lastIndex(of: 0x2f)
        let parent = folder(path[..<(cut ?? 0)])
        let place = listing.append(
            entry, named: path[(cut.map { $0 + 1 } ?? 0)...], below: parent, keepsPath: path != entry.pathBytes)
        if entry.kind == .directory { known[path] = place }
    }

    /// The place of a folder; it is made with those above it where it is not listed yet.
    mutating func folder(_ path: ArraySlice<UInt8>) -> Int {
        if latest.path.elementsEqual(path) { return latest.place }
        let whole = Array(path)
        let place: Int
        if let listed = known[whole] {
            place = listed
        } else {
            let cut = whole.lastIndex(of: 0x2f)
            let parent = folder(whole[..<(cut ?? 0)])
            place = listing.append(passed: whole[(cut.map { $0 + 1 } ?? 0)...], below: parent)
            known[whole] = place
        }
        latest = (whole, place)
        return place
    }

    /// A path with empty names and `.` taken away; `nil` of what leads elsewhere.
    private static func normal(_ path: [UInt8]) -> [UInt8]? {
        if isNormal(path) { return path }
        let names = ImagePath.split(path)
        return names.contains([0x2e, 0x2e]) ? nil : Array(names.joined(separator: [0x2f]))
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
}

/// Some files of a list, each made when it is looked at.
package struct ContextFiles: RandomAccessCollection, Sendable {
    private let listing: ContextListing
    private let places: [Int]

    init(_ listing: ContextListing, at places: [Int]) {
        self.listing = listing
        self.places = places
    }

    package var startIndex: Int { places.startIndex }
    package var endIndex: Int { places.endIndex }
    package subscript(position: Int) -> ContextEntry { listing[places[position]] }

    /// A few thousand at a time, which is what may be in memory at once.
    package var parts: some Sequence<[ContextEntry]> {
        stride(from: startIndex, to: endIndex, by: Self.partSize).lazy.map { start in
            self[start..<Swift.min(start + Self.partSize, endIndex)].map(\.self)
        }
    }

    private static let partSize = 4_096
}
