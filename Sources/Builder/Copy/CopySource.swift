import Synchronization

/// Where COPY and ADD take files from: the context, or another file system.
protocol CopySource {
    associatedtype Item

    /// What messages call it: `the build context`, `stage build`.
    var displayName: String { get }
    var root: Item { get throws(BuildError) }

    func child(_ name: FileName, of item: Item) throws(BuildError) -> Item?
    /// Sorted by name.
    func children(of item: Item) throws(BuildError) -> [(name: FileName, item: Item)]
    func isDirectory(_ item: Item) -> Bool
    /// Where a link points to; `nil` when it is none.
    func linkTarget(of item: Item) throws(BuildError) -> [UInt8]?
    /// The metadata that the item would have in the image.
    func node(of item: Item) throws(BuildError) -> Node
    /// Makes the file, link or special file in a place where nothing is.
    ///
    /// - Parameter copies: takes files that need not be there at once.
    mutating func write(
        _ item: Item, to host: HostPath, as node: Node, _ writer: NodeWriter, _ copies: FileCopies?
    ) async throws(BuildError)
    func copyAttributes(of item: Item, to host: HostPath, _ writer: NodeWriter) throws(BuildError)
    /// Files are linked to each other within one source of an instruction, never across: what was written before may be
    /// another file by then.
    mutating func forgetLinks()
}

extension CopySource {
    /// Follows a path below the source's root; links never lead out of it.
    func resolve(_ path: ImagePath, from start: ImagePath = .root, followingLast: Bool) throws(BuildError) -> Item? {
        var pending = Array((start.components + path.components).reversed())
        var trail: [Item] = []
        let top = try root
        var followed = 0
        while let name = pending.popLast() {
            if name == [0x2e, 0x2e] {
                _ = trail.popLast()
                continue
            }
            let here = trail.last ?? top
            guard isDirectory(here), let item = try child(name, of: here) else { return nil }
            if followingLast || !pending.isEmpty, let target = try linkTarget(of: item) {
                followed += 1
                guard followed <= 255 else {
                    throw BuildError(.missingSource, "too many symbolic links", place: path.text)
                }
                if target.first == 0x2f { trail = [] }
                pending.append(contentsOf: ImagePath.split(target).reversed())
                continue
            }
            trail.append(item)
        }
        return trail.last ?? top
    }
}

/// The build context, or a directory given by name.
struct ContextSource: CopySource {
    let tree: ContextTree
    let displayName: String
    /// Takes large files, whose content comes when the layer is written; `nil`: it comes at once.
    var deferred: DeferredFiles?
    /// Takes note of scripts that no kernel will run.
    var scripts: ScriptLineEnds?
    /// Bytes that one file may have.
    var fileLimit = Int64.max
    /// Where the first name of a file with several went.
    private var firstNames: [ContextEntry.LinkIdentity: HostPath] = [:]

    init(tree: ContextTree, displayName: String) {
        self.tree = tree
        self.displayName = displayName
    }

    typealias Item = ContextTree.Item

    var root: Item { tree.root }
    func child(_ name: FileName, of item: Item) -> Item? { tree.child(name, of: item) }
    func children(of item: Item) -> [(name: FileName, item: Item)] { tree.children(of: item) }
    func isDirectory(_ item: Item) -> Bool { tree.isDirectory(item) }

    func linkTarget(of item: Item) -> [UInt8]? {
        guard tree.isSymlink(item), case .symlink(let target) = tree.entry(of: item).kind else { return nil }
        return target
    }

    func node(of item: Item) throws(BuildError) -> Node {
        let entry = tree.entry(of: item)
        let kind: Node.Kind
        var mode = entry.mode
        switch entry.kind {
        case .file: kind = .file
        case .directory: kind = .directory
        case .symlink:
            kind = .symlink
            mode = 0o777
        case .socket: kind = .socket
        case .fifo: kind = .fifo
        case .unavailable(let reason, let hint):
            throw BuildError(.context, "cannot copy \(entry.path)", cause: reason, hint: hint)
        }
        // The owner of a context's file is an accident of the machine that it came from.
        return Node(
            kind: kind, mode: mode, uid: 0, gid: 0, size: entry.size,
            modified: entry.modified.map { Timestamp(seconds: $0, nanoseconds: entry.modifiedNanoseconds) } ?? .unset)
    }

    /// What arrives is counted as well: a context may not know a file's size.
    private func content(
        of entry: ContextEntry, _ take: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError) {
        let left = Mutex(fileLimit)
        let limit = fileLimit
        try await tree.context.read(entry) { (bytes) throws(BuildError) in
            let isWithin = left.withLock { left in
                left -= Int64(bytes.count)
                return left >= 0
            }
            guard isWithin else { throw Self.tooLarge(entry, limit) }
            try take(bytes)
        }
    }

    private static func tooLarge(_ entry: ContextEntry, _ limit: Int64) -> BuildError {
        BuildError(
            .context, "the file is larger than one of the context may be", place: entry.path,
            cause: "at most \(limit) bytes are taken" + (entry.size > limit ? ", and it has \(entry.size)" : ""),
            hint: "leave it out by .dockerignore, or raise builds.contextFileLimit (--context-file-limit)")
    }

    mutating func write(
        _ item: Item, to host: HostPath, as node: Node, _ writer: NodeWriter, _ copies: FileCopies?
    ) async throws(BuildError) {
        let entry = tree.entry(of: item)
        if entry.kind == .file, entry.size > fileLimit { throw Self.tooLarge(entry, fileLimit) }
        if let identity = entry.linkIdentity {
            if let first = firstNames[identity] { return try writer.makeHardLink(host, to: first) }
            firstNames[identity] = host
        }
        let directory = tree.context as? DirectoryContext
        switch entry.kind {
        case .file:
            if let copies, let directory, entry.linkIdentity == nil, !isDeferred(entry, node) {
                return try copies.add(in: host.parent) { [self] () throws(BuildError) in
                    try copy(entry, of: directory, to: host, as: node, writer)
                }
            }
            let descriptor = try FileContent.create(host, mode: node.mode)
            let raw = descriptor.raw
            if let deferred, isDeferred(entry, node), let context = directory {
                try writer.apply(node, toFile: raw, host) {}
                let origin = context.place(of: entry)
                return try deferred.add(
                    DeferredFile(from: try context.open(entry), origin, to: descriptor, host, node))
            }
            let look = scripts?.look(at: entry)
            try await content(of: entry) { (bytes) throws(BuildError) in
                look?(bytes)
                try FileContent.write(bytes, to: raw, host)
            }
            try writer.apply(node, toFile: raw, host) { copyAttributes(of: entry, to: host, writer) }
            _ = consume descriptor
        case .symlink(let target):
            try writer.makeSymlink(host, target: target, node)
        case .fifo, .socket:
            try writer.makeSpecial(host, node)
        case .directory, .unavailable:
            throw BuildError(.context, "cannot copy \(entry.path): it is not a file")
        }
    }

    private func copy(
        _ entry: ContextEntry, of directory: DirectoryContext, to host: HostPath, as node: Node, _ writer: NodeWriter
    ) throws(BuildError) {
        let descriptor = try FileContent.create(host, mode: node.mode)
        let look = scripts?.look(at: entry)
        try directory.stream(entry) { (bytes) throws(BuildError) in
            look?(bytes)
            try FileContent.write(bytes, to: descriptor.raw, host)
        }
        try writer.apply(node, toFile: descriptor.raw, host) { copyAttributes(of: entry, to: host, writer) }
    }

    private func isDeferred(_ entry: ContextEntry, _ node: Node) -> Bool {
        entry.attributes.isEmpty && deferred?.takes(node) == true
    }

    func copyAttributes(of item: Item, to host: HostPath, _ writer: NodeWriter) {
        copyAttributes(of: tree.entry(of: item), to: host, writer)
    }

    /// An attribute that the state directory's file system cannot hold is left out, as other builders do.
    private func copyAttributes(of entry: ContextEntry, to host: HostPath, _ writer: NodeWriter) {
        for (name, value) in entry.attributes where writer.ownership == .apply || name.hasPrefix("user.") {
            try? FileCalls.setAttribute(host, name, value)
        }
    }

    mutating func forgetLinks() { firstNames = [:] }
}

/// The file system of a stage or an image.
struct LayeredSource: CopySource {
    let tree: LayeredRoot
    let displayName: String
    private var copy: TreeCopy

    init(_ tree: LayeredRoot, displayName: String) {
        self.tree = tree
        self.displayName = displayName
        copy = TreeCopy(writer: NodeWriter(ownership: tree.ownership))
    }

    typealias Item = LayeredRoot.Item

    var root: Item { get throws(BuildError) { .folder(try tree.root()) } }

    func child(_ name: FileName, of item: Item) throws(BuildError) -> Item? {
        guard case .folder(let folder) = item else { return nil }
        return try tree.child(name, of: folder)
    }

    func children(of item: Item) throws(BuildError) -> [(name: FileName, item: Item)] {
        guard case .folder(let folder) = item else { return [] }
        return try tree.children(of: folder)
    }

    func isDirectory(_ item: Item) -> Bool {
        if case .folder = item { true } else { false }
    }

    func linkTarget(of item: Item) throws(BuildError) -> [UInt8]? {
        guard case .file(let file) = item, file.node.kind == .symlink else { return nil }
        return try FileCalls.target(ofLink: file.host)
    }

    func node(of item: Item) -> Node { item.node }

    mutating func write(
        _ item: Item, to host: HostPath, as node: Node, _ writer: NodeWriter, _ copies: FileCopies?
    ) async throws(BuildError) {
        guard case .file(let file) = item else { return }
        if let copies, node.kind == .file, file.node.links == 1 {
            return try copies.add(in: host.parent) { () throws(BuildError) in
                try writer.copy(file.host, to: host, node)
            }
        }
        try copy.copyFile(file, to: host, as: node)
    }

    func copyAttributes(of item: Item, to host: HostPath, _ writer: NodeWriter) throws(BuildError) {
        if let source = item.host { try writer.copyAttributes(source, to: host) }
    }

    mutating func forgetLinks() { copy = TreeCopy(writer: copy.writer) }
}
