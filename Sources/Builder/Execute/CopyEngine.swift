import Dockerfile

/// How COPY and ADD change what they copy.
struct CopyOptions: Sendable {
    /// Absolute; a trailing `/` says that it is a directory.
    var destination: ImagePath
    var isDirectory: Bool
    var owner: (uid: UInt32, gid: UInt32)?
    var mode: FileModeChange?
    /// The time of folders that are made.
    var createdAt: Int64
    /// Whether a path below a copied folder is left out (`--exclude`).
    var excludes: (@Sendable (String) -> Bool)?
}

/// Copies the sources of one COPY or ADD into a new layer, by the rules of the destination.
struct CopyEngine<Source: CopySource> {
    var source: Source
    var editor: LayerEditor
    let options: CopyOptions
    /// Where ADD puts a file to look into it, beside the new layer; `nil` for COPY, which unpacks nothing.
    var staging: HostPath?

    init(_ source: Source, into editor: LayerEditor, options: CopyOptions) {
        self.source = source
        self.editor = editor
        self.options = options
    }

    mutating func copy(_ patterns: [String]) async throws(BuildError) {
        for pattern in patterns {
            for match in try SourcePattern(pattern).matches(in: source) { try await copy(match, as: pattern) }
        }
    }

    private mutating func copy(_ match: SourcePattern.Match<Source.Item>, as pattern: String) async throws(BuildError) {
        guard let item = try source.resolve(match.path, followingLast: true) else {
            throw BuildError(
                .missingSource, "\(pattern) is a symbolic link that leads nowhere in \(source.displayName)")
        }
        if source.isDirectory(item) {
            let folder = try directory(at: options.destination)
            try await copyChildren(of: item, to: folder, below: [])
            return
        }
        guard let name = match.path.last else { return }
        try await copyFile(item, named: name)
    }

    /// Copies one path, whatever characters it has, to the destination's own name.
    mutating func copyAll(_ path: String) async throws(BuildError) {
        guard let item = try source.resolve(ImagePath(path), followingLast: true) else {
            throw BuildError(.missingSource, "\(path) is not in \(source.displayName)")
        }
        if source.isDirectory(item) {
            let folder = try directory(at: options.destination)
            try await copyChildren(of: item, to: folder, below: [])
            try editor.set(folder, options.applied(to: try source.node(of: item)))
        } else {
            try await copyFile(item, named: options.destination.last ?? [])
        }
    }

    /// Copies a file of the source's root, whatever characters its name has.
    mutating func copyLiteral(_ name: String) async throws(BuildError) {
        let path = ImagePath(components: [FileName(name)])
        guard let item = try source.resolve(path, followingLast: false) else { return }
        try await copyFile(item, named: FileName(name))
    }

    /// The folder that sources are merged into; made with its parents when it is missing.
    private mutating func directory(at path: ImagePath) throws(BuildError) -> LayeredRoot.Folder {
        let resolved = try editor.view.resolve(path)
        if case .file(let file)? = resolved.item {
            throw BuildError(.destination, "cannot copy to \(file.path.text): it is not a directory")
        }
        return try editor.ensureDirectory(resolved.path, new: options.newFolder)
    }

    private mutating func copyFile(_ item: Source.Item, named name: FileName) async throws(BuildError) {
        let node = options.applied(to: try source.node(of: item))
        var staged: HostPath?
        if let staging, node.kind == .file {
            let file = staging.appending("file")
            try await source.write(item, to: file, as: node, editor.writer)
            if try ArchiveUnpacker.isArchive(file) {
                let folder = try directory(at: options.destination)
                try ArchiveUnpacker(owner: options.owner, createdAt: options.createdAt)
                    .unpack(file, into: folder, &editor)
                try FileCalls.removeFile(file)
                return
            }
            staged = file
        }
        var target = options.destination
        if options.isDirectory {
            target = target.appending(name)
        } else if case .folder? = try editor.view.resolve(target).item {
            target = target.appending(name)
        }
        // A link at the very place is followed as well, and its target overwritten.
        let resolved = try editor.view.resolve(target).path
        guard let last = resolved.last else {
            throw BuildError(.destination, "cannot replace the directory / by a file")
        }
        let folder = try editor.ensureDirectory(resolved.parent, new: options.newFolder)
        let host = try editor.place(last, in: folder)
        if let staged {
            try FileCalls.move(staged, to: host)
        } else {
            try await source.write(item, to: host, as: node, editor.writer)
        }
    }

    private mutating func copyChildren(
        of item: Source.Item, to folder: LayeredRoot.Folder, below prefix: [UInt8]
    ) async throws(BuildError) {
        for (name, child) in try source.children(of: item) {
            let relative = prefix.isEmpty ? name : prefix + [0x2f] + name
            let node = options.applied(to: try source.node(of: child))
            let isExcluded = options.excludes?(relative.text) ?? false
            if source.isDirectory(child) {
                // A folder that is left out may hold what is taken in again.
                if isExcluded { continue }
                let target = try editor.ensureChild(name, of: folder, new: node)
                try source.copyAttributes(of: child, to: editor.upper.appending(target.path), editor.writer)
                try await copyChildren(of: child, to: target, below: relative)
                try editor.set(target, node)
            } else if !isExcluded {
                let host = try editor.place(name, in: folder)
                try await source.write(child, to: host, as: node, editor.writer)
            }
        }
    }
}

extension CopyOptions {
    /// Folders on the way to the destination that do not exist yet.
    var newFolder: Node {
        var mode: UInt32 = 0o755
        if case .octal(let bits)? = self.mode { mode = bits }
        return Node(
            directoryMode: mode, uid: owner?.uid ?? 0, gid: owner?.gid ?? 0, modified: Timestamp(seconds: createdAt))
    }

    func applied(to node: Node) -> Node {
        var node = node
        node.modified = min(node.modified, Timestamp(seconds: createdAt))
        if let owner {
            node.uid = owner.uid
            node.gid = owner.gid
        }
        if let mode, node.kind != .symlink {
            node.mode = mode.applied(to: node.mode, isDirectory: node.kind == .directory)
        }
        return node
    }
}
