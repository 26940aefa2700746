import Dockerfile

/// How COPY and ADD change what they copy.
struct CopyOptions: Sendable {
    /// Absolute.
    var destination: ImagePath
    /// The destination is a directory, whether it exists or not.
    var isDirectory: Bool
    var owner: (uid: UInt32, gid: UInt32)?
    var mode: FileModeChange?
    /// The time of folders that are made, and of files that have none of their own.
    var made = Timestamp.now
    /// The patterns of `--exclude`.
    var excludes: [String] = []
    /// What an archive may unpack to.
    var unpackLimit = UnpackLimit()
}

/// Copies the sources of one COPY or ADD into a new layer, by the rules of the destination.
struct CopyEngine<Source: CopySource> {
    var source: Source
    var editor: LayerEditor
    let options: CopyOptions
    /// Where ADD puts a file to look into it, beside the new layer; `nil` when nothing is unpacked.
    var staging: HostPath?
    /// Patterns that nothing matched.
    private(set) var unmatched: [String] = []
    /// How many things were taken, whatever became of them.
    private var taken = 0
    /// From the folder that things are merged into down to where the walk is.
    private var trail: [Step] = []

    /// A folder of the source, and what stands for it in the image; `nil` until something below it is copied.
    private struct Step {
        let name: FileName
        let item: Source.Item
        var folder: LayeredRoot.Folder?
        /// Nothing was in the folder before: what is in it is what the walk brought, each name once.
        var isOwn = false
    }

    init(_ source: Source, into editor: LayerEditor, options: CopyOptions) {
        self.source = source
        self.editor = editor
        self.options = options
    }

    /// Copies what a path or a pattern selects.
    mutating func copy(_ text: String) async throws(BuildError) {
        source.forgetLinks()
        let pattern = SourcePattern(text)
        let filter = try SourceFilter(excludes: options.excludes)
        let found = try pattern.matches(in: source)
        if found.isEmpty { unmatched.append(text) }
        for path in found {
            guard let item = try source.resolve(path, followingLast: true) else {
                throw BuildError(
                    .missingSource, "\(text) is a symbolic link that leads nowhere in \(source.displayName)")
            }
            if source.isDirectory(item) {
                let folder = try directory(at: options.destination, new: options.newFolder)
                try await copyChildren(of: item, to: folder, filter)
            } else if let name = path.last, filter.takes(name) {
                try await copyFile(item, named: name)
            }
        }
    }

    /// As `copy`, with the folders on the way to each source made again below the destination. `/./` in the source says
    /// where that way begins.
    mutating func copyWithParents(_ text: String) async throws(BuildError) {
        source.forgetLinks()
        let (base, below) = PathRules.pivot(text)
        let filter = try SourceFilter(pattern: below, excludes: options.excludes)
        var isFound = GlobMatch.hasWildcards(below)
        let before = taken
        for path in try SourcePattern(base).matches(in: source) {
            guard let item = try source.resolve(path, followingLast: true), source.isDirectory(item) else {
                throw BuildError(.missingSource, "\(base) is not a directory in \(source.displayName)")
            }
            if !isFound { isFound = try isThere(ImagePath(below), below: item) && filter.mayTake(ImagePath(below)) }
            let folder = try directory(at: options.destination, new: options.newFolder)
            try await copyChildren(of: item, to: folder, filter)
        }
        guard isFound || GlobMatch.hasWildcards(base) else { throw SourcePattern(text).missing(in: source) }
        if taken == before, GlobMatch.hasWildcards(text) { unmatched.append(text) }
    }

    /// Whether a path leads to something through folders alone. Folders that are links cannot be made again elsewhere.
    private func isThere(_ path: ImagePath, below item: Source.Item) throws(BuildError) -> Bool {
        var here = item
        for name in path.components {
            guard source.isDirectory(here), let next = try source.child(name, of: here) else { return false }
            here = next
        }
        return true
    }

    /// Copies one path, whatever characters it has, to the destination's own name.
    mutating func copyAll(_ path: String) async throws(BuildError) {
        guard let item = try source.resolve(ImagePath(path), followingLast: true) else {
            throw BuildError(.missingSource, "\(path) is not in \(source.displayName)")
        }
        if source.isDirectory(item) {
            let folder = try directory(at: options.destination, new: options.newFolder)
            try await copyChildren(of: item, to: folder, try SourceFilter(excludes: []))
            try editor.set(folder, options.applied(to: try source.node(of: item)))
        } else {
            try await copyFile(item, named: options.destination.last ?? [])
        }
    }

    /// Whether a file keeps its own name at the destination.
    func needsName() throws(BuildError) -> Bool {
        if options.isDirectory { return true }
        if case .folder? = try editor.view.resolve(options.destination).item { return true }
        return false
    }

    /// Copies a file of the source's root, whatever characters its name has.
    mutating func copyLiteral(_ name: String) async throws(BuildError) {
        let path = ImagePath(components: [FileName(name)])
        guard let item = try source.resolve(path, followingLast: false) else { return }
        try await copyFile(item, named: FileName(name))
    }

    // MARK: Places

    /// The folder that sources are merged into; made with its parents when it is missing.
    private mutating func directory(at path: ImagePath, new: Node) throws(BuildError) -> LayeredRoot.Folder {
        let resolved = try editor.view.resolve(path)
        if case .file(let file)? = resolved.item {
            throw BuildError(.destination, "cannot copy to \(file.path.text): it is not a directory")
        }
        return try editor.ensureDirectory(resolved.path, new: new)
    }

    private mutating func copyFile(_ item: Source.Item, named name: FileName) async throws(BuildError) {
        let node = options.applied(to: try source.node(of: item))
        var staged: HostPath?
        if let staging, node.kind == .file {
            let file = staging.appending("file")
            try await source.write(item, to: file, as: node, editor.writer, nil)
            if try ArchiveUnpacker.isArchive(file) {
                let folder = try directory(at: options.destination, new: options.unpackedFolder)
                try ArchiveUnpacker(
                    owner: options.owner, made: options.made, limit: options.unpackLimit, isForLayer: true
                ).unpack(file, into: folder, &editor)
                try FileCalls.removeFile(file)
                // What was written is gone: no other name can be linked to it.
                source.forgetLinks()
                return
            }
            staged = file
        }
        var target = options.destination
        if try needsName() { target = target.appending(name) }
        // A link at the very place is followed as well, and its target overwritten; but one that this very instruction made, from
        // a source before, makes room.
        let resolved = try editor.view.resolve(target, butIn: editor.upper).path
        guard let last = resolved.last else {
            throw BuildError(.destination, "cannot replace the directory / by a file")
        }
        let folder = try editor.ensureDirectory(resolved.parent, new: options.newFolder)
        let host = try editor.place(last, in: folder)
        if let staged {
            try FileCalls.move(staged, to: host)
        } else {
            try await source.write(item, to: host, as: node, editor.writer, nil)
        }
    }

    // MARK: Trees

    private mutating func copyChildren(
        of item: Source.Item, to folder: LayeredRoot.Folder, _ filter: SourceFilter
    ) async throws(BuildError) {
        let host = editor.upper.appending(folder.path)
        trail = [Step(name: [], item: item, folder: folder, isOwn: folder.hosts == [host] && FileCalls.isEmpty(host))]
        let copies = FileCopies()
        try await copyChildren(of: item, below: [], filter, copies)
        trail = []
        // What comes next may look at them.
        try copies.finish()
    }

    private mutating func copyChildren(
        of item: Source.Item, below prefix: [UInt8], _ filter: SourceFilter, _ copies: FileCopies
    ) async throws(BuildError) {
        for (name, child) in try source.children(of: item) {
            let path = prefix.isEmpty ? name : prefix + [0x2f] + name
            let isTaken = filter.takes(path)
            guard source.isDirectory(child) else {
                guard isTaken else { continue }
                taken += 1
                let folder = try currentFolder()
                // In a folder of its own nothing looks at a name again before the walk is over.
                let isOwn = trail.last?.isOwn == true
                let host = isOwn ? editor.unusedPlace(name, in: folder) : try editor.place(name, in: folder)
                try await source.write(
                    child, to: host, as: options.applied(to: try source.node(of: child)), editor.writer,
                    isOwn ? copies : nil)
                continue
            }
            guard isTaken || filter.mayTake(below: path) else { continue }
            var step = Step(name: name, item: child)
            var node: Node?
            if isTaken {
                taken += 1
                let own = options.applied(to: try source.node(of: child))
                let (folder, isEmpty) = try editor.ensured(name, of: try currentFolder(), new: own)
                try source.copyAttributes(of: child, to: editor.upper.appending(folder.path), editor.writer)
                step.folder = folder
                step.isOwn = isEmpty
                node = own
            }
            trail.append(step)
            try await copyChildren(of: child, below: path, filter, copies)
            let done = trail.removeLast()
            if let node, let folder = done.folder { try editor.set(folder, node) }
        }
    }

    /// The folder in the image for where the walk is. Those that were passed over are made now: with the metadata of the
    /// source's, of which a folder that exists already takes the mode alone.
    private mutating func currentFolder() throws(BuildError) -> LayeredRoot.Folder {
        var known: LayeredRoot.Folder?
        for index in trail.indices {
            if let folder = trail[index].folder {
                known = folder
                continue
            }
            guard let parent = known else { continue }
            let step = trail[index]
            let source = try source.node(of: step.item)
            let present = try editor.view.child(step.name, of: parent)
            let made = try editor.ensureChild(step.name, of: parent, new: options.applied(to: source))
            if case .folder(let folder)? = present {
                var node = folder.node
                node.mode = source.mode
                try editor.set(made, node)
            } else {
                try self.source.copyAttributes(
                    of: step.item, to: editor.upper.appending(made.path), editor.writer)
            }
            trail[index].folder = made
            known = made
        }
        guard let known else { throw BuildError(.destination, "the walk has no folder to copy to") }
        return known
    }
}

extension CopyOptions {
    /// Folders on the way to the destination that do not exist yet.
    var newFolder: Node {
        var node = unpackedFolder
        if case .absolute(let bits)? = mode { node.mode = bits }
        return node
    }

    /// The folder that an archive is unpacked into: `--chmod` is not for archives.
    var unpackedFolder: Node {
        Node(
            directoryMode: 0o755, uid: owner?.uid ?? 0, gid: owner?.gid ?? 0, modified: made)
    }

    func applied(to node: Node) -> Node {
        var node = node
        if node.modified == .unset { node.modified = made }
        if let owner {
            node.uid = owner.uid
            node.gid = owner.gid
        }
        if let mode, node.kind != .symlink {
            node.mode = mode.apply(to: node.mode, isDirectory: node.kind == .directory)
        }
        return node
    }
}
