import FileSystem
import Glibc

/// One layer on its way into a directory: its entries are added in the archive's order.
struct LayerExtraction {
    private(set) var summary = ExtractionSummary()
    private var tree: LayerTree
    private let writer: EntryWriter
    private let finisher: FileFinisher
    private let limits: ExtractionLimits
    /// Hard links whose target was not there yet: it may follow, or be in a lower layer.
    private var links: [TarEntry] = []
    /// What the headers of hard links say of their files, in the archive's order.
    private var relabelled: [Relabelling] = []
    private var held = 0
    /// What this layer brought, which its own marks do not remove. Only kept where marks remove at all.
    private var brought: Set<[UInt8]> = []

    /// A hard link's header is the last word for its file, as in Docker. A file gets its attributes beside the reading of the archive,
    /// so this has to wait for the end.
    private struct Relabelling {
        /// The link's and its target's: either may be another file by then.
        let paths: [[UInt8]]
        let inode: UInt64
        let attributes: LayerTree.DirectoryAttributes
    }

    init(tree: LayerTree, ownership: OwnershipPolicy, limits: ExtractionLimits) {
        self.tree = tree
        self.limits = limits
        writer = EntryWriter(ownership: ownership)
        finisher = FileFinisher(writer)
    }

    mutating func add<Source: ByteSource & ~Copyable>(
        _ entry: TarEntry, _ reader: inout TarReader<Source>
    ) throws(ArchiveError) {
        summary.entries += 1
        let (sum, overflow) = summary.bytes.addingReportingOverflow(entry.size)
        guard !overflow, sum <= limits.bytes else {
            throw ArchiveError.tooLarge(limits.bytes, place: entry.displayName)
        }
        summary.bytes = sum
        guard held + tree.held <= limits.memory else {
            throw ArchiveError(
                .limit, "the layer has too many directories and links to be unpacked", place: entry.displayName,
                hint: "such a layer is most likely made to do harm")
        }
        let names = LayerTree.clean(entry.name)
        guard let name = names.last else {
            if entry.kind == .directory { tree.setAttributes(EntryWriter.attributes(of: entry), of: []) }
            return
        }
        let above = Array(names.dropLast())
        if name.starts(with: LayerMarks.prefix) { return try addMark(entry, above, name) }
        if entry.kind == .characterDevice, entry.major == 0, entry.minor == 0, tree.mode == .overlay {
            // Overlay takes such a node for a mark, so it is one.
            return try addWhiteout(entry, above, name)
        }
        let (parentPath, parent) = try at(entry) { () throws(FileSystemError) in
            try tree.parent(above, time: entry.time)
        }
        let path = parentPath.isEmpty ? name : parentPath + [UInt8(ascii: "/")] + name
        if tree.mode == .merge { note(path) }
        switch entry.kind {
        case .directory: try addDirectory(entry, path, name, in: parent)
        case .hardLink: try addLink(entry, path, name, in: parent)
        case .file: try addFile(entry, path, name, in: parent, &reader)
        case .symlink:
            try replacing(entry, path, name, in: parent) { writer, attributes throws(FileSystemError) in
                try writer.makeSymlink(entry, name, in: parent)
            }
        case .characterDevice, .blockDevice, .fifo:
            try replacing(entry, path, name, in: parent) { writer, summary throws(FileSystemError) in
                try writer.makeNode(entry, name, in: parent, &summary)
            }
        }
    }

    /// Makes what waited for the rest: links to later entries and lower layers, then the directories' attributes.
    mutating func finish() throws(ArchiveError) {
        try finishLinks()
        summary.skippedAttributes += try finisher.finish().skippedAttributes
        for item in relabelled { try relabel(item) }
        if tree.pending[[]] == nil, let lower = tree.lowers.first {
            let attributes = try at([]) { () throws(FileSystemError) in
                try tree.attributes(of: [], in: lower, try lower.status(""))
            }
            tree.setAttributes(attributes, of: [])
        }
        // The deepest first: an attribute set below changes nothing above, but a closed directory hides what is in it.
        for (path, attributes) in tree.pending.sorted(by: { $1.key.lexicographicallyPrecedes($0.key) }) {
            try at(path) { () throws(FileSystemError) in
                try writer.apply(attributes, to: path, in: tree.root, &summary)
            }
        }
    }

    /// A link may wait for another one, so there are rounds: each makes some, or those that are left have no target.
    private mutating func finishLinks() throws(ArchiveError) {
        var rounds = 0
        while !links.isEmpty {
            rounds += 1
            let waiting = links
            links = []
            for entry in waiting { try makeLink(entry, includingLowers: false) }
            if links.count == waiting.count {
                links = []
                for entry in waiting { try makeLink(entry, includingLowers: true) }
            }
            // Real archives need two rounds; a chain that takes more is made to cost time.
            guard links.count < waiting.count, rounds < 16 else {
                throw ArchiveError(
                    .malformed, "the hard link has no target", place: waiting[0].displayName,
                    cause:
                        "there is no file \(String(decoding: waiting[0].linkName.prefix(200), as: UTF8.self)) in the "
                        + "layer or below it")
            }
        }
    }

    // MARK: Kinds of entries

    private mutating func addDirectory(
        _ entry: TarEntry, _ path: [UInt8], _ name: [UInt8], in parent: Directory
    ) throws(ArchiveError) {
        try at(entry) { () throws(FileSystemError) in
            let mode = entry.mode & 0o755 | 0o700
            do throws(FileSystemError) { try parent.makeDirectory(name, mode: mode) } catch {
                guard error.code == EEXIST, let status = try parent.statusIfPresent(name) else { throw error }
                if status.type == .directory { return }
                try parent.remove(name)
                tree.forget(path)
                try parent.makeDirectory(name, mode: mode)
                // What was hidden by the mark, or by the file that stood here, stays hidden.
                if tree.mode == .overlay { try tree.makeOpaque(path) }
            }
        }
        tree.setAttributes(EntryWriter.attributes(of: entry), of: path)
    }

    private mutating func addFile<Source: ByteSource & ~Copyable>(
        _ entry: TarEntry, _ path: [UInt8], _ name: [UInt8], in parent: Directory, _ reader: inout TarReader<Source>
    ) throws(ArchiveError) {
        let file = try at(entry) { () throws(FileSystemError) -> FileHandle in
            do throws(FileSystemError) { return try writer.open(name, in: parent, mode: entry.mode) } catch {
                guard error.code == EEXIST else { throw error }
                try parent.remove(name, recursively: true)
                tree.forget(path)
                return try writer.open(name, in: parent, mode: entry.mode)
            }
        }
        if entry.size <= FileFinisher.largest {
            return try finisher.add(file, entry) { buffer throws(ArchiveError) in
                // The reader itself refuses content that ends early.
                _ = try reader.fill(buffer)
            }
        }
        try writer.copy(entry, to: file, &reader)
        do throws(FileSystemError) { try writer.apply(entry, to: file, &summary) } catch {
            throw EntryWriter.failure(error, entry.name)
        }
    }

    private mutating func addLink(
        _ entry: TarEntry, _ path: [UInt8], _ name: [UInt8], in parent: Directory
    ) throws(ArchiveError) {
        // A link to itself is the file that is there already.
        if LayerTree.clean(entry.linkName) == LayerTree.clean(entry.name) { return }
        try makeLink(entry, includingLowers: false)
    }

    /// Makes a hard link, or puts it among those that wait.
    private mutating func makeLink(_ entry: TarEntry, includingLowers: Bool) throws(ArchiveError) {
        let names = LayerTree.clean(entry.name)
        let target = LayerTree.clean(entry.linkName)
        let found = try at(entry) { () throws(FileSystemError) in
            try tree.find(target, includingLowers: includingLowers)
        }
        guard let name = names.last, let found else {
            let waiting = entry
            held += waiting.xattrs.reduce(0) { $0 + $1.key.utf8.count + $1.value.count }
            held += waiting.name.count + waiting.linkName.count + 256
            links.append(waiting)
            return
        }
        var source: [UInt8]
        switch found {
        case .own(let path, let status):
            guard status.type != .directory else { throw Self.linkToDirectory(entry) }
            source = path
        case .lower(let lower, let path, let status):
            guard status.type != .directory else { throw Self.linkToDirectory(entry) }
            // As overlay does it: the target itself comes up, and then has two names.
            let above = LayerTree.split(path)
            source = path
            try at(entry) { () throws(FileSystemError) in
                let (_, folder) = try tree.parent(Array(above.dropLast()), time: entry.time)
                try writer.copyUp(path, status, from: lower, to: above.last ?? [], in: folder, &summary)
            }
        }
        let (parentPath, parent) = try at(entry) { () throws(FileSystemError) in
            try tree.parent(Array(names.dropLast()), time: entry.time)
        }
        let path = parentPath.isEmpty ? name : parentPath + [UInt8(ascii: "/")] + name
        if path == source { return }
        let root = tree.root
        try replacing(entry, path, name, in: parent) { _, _ throws(FileSystemError) in
            try parent.link(name, to: source, in: root)
        }
        let made = try at(entry) { () throws(FileSystemError) in try parent.status(name) }
        let attributes = EntryWriter.attributes(of: entry)
        held += path.count + source.count + 256
        held += attributes.xattrs.reduce(0) { $0 + $1.key.utf8.count + $1.value.count }
        relabelled.append(Relabelling(paths: [path, source], inode: made.inode, attributes: attributes))
    }

    private mutating func relabel(_ item: Relabelling) throws(ArchiveError) {
        let root = tree.root
        for path in item.paths {
            let isDone = try at(path) { () throws(FileSystemError) in
                guard let status = try root.statusIfPresent(path), status.inode == item.inode else { return false }
                try writer.relabel(path, status, as: item.attributes, in: root, &summary)
                return true
            }
            if isDone { return }
        }
    }

    private static func linkToDirectory(_ entry: TarEntry) -> ArchiveError {
        ArchiveError(
            .forbidden, "a hard link may not point to a directory", place: entry.displayName,
            cause: "it points to \(String(decoding: entry.linkName, as: UTF8.self))")
    }

    /// Runs `make`; when something has the name, removes that first.
    private mutating func replacing(
        _ entry: TarEntry, _ path: [UInt8], _ name: [UInt8], in parent: Directory,
        _ make: (EntryWriter, inout ExtractionSummary) throws(FileSystemError) -> Void
    ) throws(ArchiveError) {
        try at(entry) { () throws(FileSystemError) in
            do throws(FileSystemError) { try make(writer, &summary) } catch {
                guard error.code == EEXIST else { throw error }
                try parent.remove(name, recursively: true)
                tree.forget(path)
                try make(writer, &summary)
            }
        }
    }

    // MARK: Marks of removed files

    static func isMark(_ entry: TarEntry) -> Bool {
        LayerTree.clean(entry.name).last?.starts(with: LayerMarks.prefix) ?? false
    }

    static var timesDiffer: ArchiveError {
        ArchiveError(.malformed, "the layer has not as many entries as there are times for them")
    }

    private mutating func addMark(_ entry: TarEntry, _ above: [[UInt8]], _ mark: [UInt8]) throws(ArchiveError) {
        if mark == LayerMarks.opaque {
            summary.opaqueDirectories += 1
            return try at(entry) { () throws(FileSystemError) in
                let (path, folder) = try tree.parent(above, time: entry.time)
                switch tree.mode {
                case .overlay: try tree.makeOpaque(path)
                case .merge: try clear(path, folder)
                }
            }
        }
        // The book-keeping of aufs: nothing of the image.
        if mark.starts(with: LayerMarks.prefix + LayerMarks.prefix) { return }
        let name = Array(mark.dropFirst(LayerMarks.prefix.count))
        guard !name.isEmpty, name != [0x2e], name != [0x2e, 0x2e] else {
            throw ArchiveError(.malformed, "the mark of a removed file names no file", place: entry.displayName)
        }
        try addWhiteout(entry, above, name)
    }

    private mutating func addWhiteout(_ entry: TarEntry, _ above: [[UInt8]], _ name: [UInt8]) throws(ArchiveError) {
        summary.whiteouts += 1
        try at(entry) { () throws(FileSystemError) in
            let (parentPath, parent) = try tree.parent(above, time: entry.time)
            let path = parentPath.isEmpty ? name : parentPath + [UInt8(ascii: "/")] + name
            switch tree.mode {
            case .overlay:
                do throws(FileSystemError) { try parent.makeNode(name, mode: S_IFCHR, device: 0) } catch {
                    guard error.code == EEXIST else { throw error }
                    // The layer has the name as well: a mark only means what is below. A file hides that by itself.
                    if try parent.status(name).type == .directory { try tree.makeOpaque(path) }
                }
            case .merge:
                guard !brought.contains(path), try parent.statusIfPresent(name) != nil else { return }
                try parent.remove(name, recursively: true)
                tree.forget(path)
            }
        }
    }

    /// Removes from a directory what this layer did not bring.
    private mutating func clear(_ path: [UInt8], _ folder: Directory) throws(FileSystemError) {
        for child in try folder.entries() {
            let childPath = path.isEmpty ? child.name : path + [UInt8(ascii: "/")] + child.name
            if !brought.contains(childPath) {
                try folder.remove(child.name, recursively: true)
                tree.forget(childPath)
            } else if try folder.status(child.name).type == .directory {
                try clear(childPath, try folder.directory(child.name))
            }
        }
    }

    private mutating func note(_ path: [UInt8]) {
        var names = LayerTree.split(path)
        while !names.isEmpty, brought.insert(LayerTree.join(names)).inserted {
            held += path.count + 64
            names.removeLast()
        }
    }

    // MARK: Errors

    private func at<Result: ~Copyable>(
        _ entry: TarEntry, _ body: () throws(FileSystemError) -> Result
    ) throws(ArchiveError) -> Result { try at(entry.name, body) }

    private func at<Result: ~Copyable>(
        _ name: [UInt8], _ body: () throws(FileSystemError) -> Result
    ) throws(ArchiveError) -> Result {
        do throws(FileSystemError) { return try body() } catch {
            throw EntryWriter.failure(error, name)
        }
    }
}
