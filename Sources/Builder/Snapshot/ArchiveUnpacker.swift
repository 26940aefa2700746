import Archive
import Glibc

/// ADD's other half: unpacks a local archive into a folder of the image, owners, modes and links as the archive has them.
///
/// Names are clamped to the folder, and so are links on the way, be they the archive's or the image's.
struct ArchiveUnpacker {
    let owner: (uid: UInt32, gid: UInt32)?
    /// The time of folders that the archive does not tell of.
    let made: Timestamp
    let limit: UnpackLimit
    /// Whether what is unpacked becomes a layer, in which some names are marks.
    let isForLayer: Bool
    /// About how many bytes are held for folders until everything is unpacked.
    private var held = 0
    private static let memoryLimit = 512 << 20

    init(owner: (uid: UInt32, gid: UInt32)?, made: Timestamp, limit: UnpackLimit, isForLayer: Bool = false) {
        self.isForLayer = isForLayer
        self.owner = owner
        self.made = made
        self.limit = limit
    }

    /// Whether the first header of a tar, plain or compressed, can be read.
    static func isArchive(_ file: HostPath) throws(BuildError) -> Bool {
        guard let node = try Node.read(file, .apply), node.kind == .file, node.size > 0 else { return false }
        do throws(ArchiveError) {
            var reader = TarReader(try DecompressingSource(try FileSource(path: file.text)))
            return try reader.next() != nil
        } catch {
            // It is one, and unpacking will say what is too much about it.
            return error.code == .limit
        }
    }

    func unpack(_ file: HostPath, into folder: LayeredRoot.Folder, _ editor: inout LayerEditor) throws(BuildError) {
        do {
            var pass = self
            var unpacked: Int64 = 0
            let size = limit.bytes(ofSize: try Node.read(file, .apply)?.size ?? 0)
            var reader = TarReader(try DecompressingSource(try FileSource(path: file.text), limit: size))
            while let entry = try reader.next() {
                // Before it is written, if the archive says so itself. Sparse files are more than what is read of them.
                unpacked = unpacked.addingReportingOverflow(entry.size).partialValue
                guard entry.size <= size, 0...size ~= unpacked else {
                    throw ArchiveError.tooLarge(size, place: entry.displayName)
                }
                try pass.unpack(entry, &reader, into: folder, &editor)
            }
        } catch let error as BuildError {
            throw error
        } catch let error as ArchiveError {
            throw BuildError(.context, "cannot unpack the archive", from: error)
        } catch {
            throw BuildError(.context, "cannot unpack the archive", cause: "\(error)")
        }
    }

    /// A path of the archive, with links followed as if the folder was the root of all.
    private func resolve(
        _ path: ImagePath, below folder: LayeredRoot.Folder, _ editor: LayerEditor, followingLast: Bool
    ) throws(BuildError) -> LayeredRoot.Resolved {
        let inner = LayeredRoot(layers: folder.hosts.reversed(), ownership: editor.view.ownership)
        return try inner.resolve(path, followingLast: followingLast)
    }

    private mutating func unpack(
        _ entry: TarEntry, _ reader: inout TarReader<DecompressingSource<FileSource>>, into folder: LayeredRoot.Folder,
        _ editor: inout LayerEditor
    ) throws {
        let inside = ImagePath(entry.name)
        var node = node(of: entry)
        if let owner {
            node.uid = owner.uid
            node.gid = owner.gid
        }
        guard let name = inside.last else {
            // What `tar -C DIRECTORY .` says of its directory is nothing about the one that ADD unpacks into.
            if entry.kind == .directory, !isForLayer { try editor.set(folder, node) }
            return
        }
        held += entry.kind == .directory ? entry.name.count + 128 : 0
        guard held <= Self.memoryLimit else {
            throw ArchiveError(
                .limit, "the archive has too many directories to be unpacked", place: entry.displayName,
                hint: "such an archive is most likely made to do harm")
        }
        let wanted = try resolve(inside.parent, below: folder, editor, followingLast: true)
        let parent = try editor.ensureDirectory(
            folder.path.appending(wanted.path),
            new: Node(directoryMode: 0o755, modified: made))
        if isForLayer, name.starts(with: LayerMarks.prefix) { return try mark(name, in: parent, &editor) }
        if entry.kind == .directory {
            // What is no directory makes room, also a link to one.
            if case .file? = try editor.view.child(name, of: parent) { try editor.hide(name, in: parent) }
            let made = try editor.ensureChild(name, of: parent, new: node)
            for (key, value) in entry.xattrs where FileCalls.isOfImage(key) {
                try FileCalls.setAttribute(editor.upper.appending(made.path), key, value)
            }
            try editor.set(made, node)
            return
        }
        if case .folder? = try editor.view.child(name, of: parent) { try editor.replace(name, in: parent) }
        let host = try editor.place(name, in: parent)
        switch entry.kind {
        case .symlink:
            try editor.writer.makeSymlink(host, target: entry.linkName, node)
        case .hardLink:
            try link(host, to: entry, below: folder, node, &editor)
        case .file:
            let descriptor = try FileContent.create(host)
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 << 10, alignment: 16)
            defer { buffer.deallocate() }
            var hasHoles = false
            while true {
                let count = try reader.read(into: buffer)
                if count == 0 { break }
                let piece = UnsafeRawBufferPointer(rebasing: buffer[..<count])
                if count >= 4_096, Zeros.fill(piece), Zeros.skip(count, in: descriptor.raw) {
                    hasHoles = true
                } else {
                    try FileContent.write(piece, to: descriptor.raw, host)
                }
            }
            if hasHoles { try FileContent.setSize(descriptor.raw, entry.size, host) }
            try editor.writer.apply(node, to: host)
            for (key, value) in entry.xattrs where FileCalls.isOfImage(key) {
                try FileCalls.setAttribute(host, key, value)
            }
        default:
            try editor.writer.makeSpecial(host, node)
        }
    }

    /// Readers of the layer take such a name for the mark of a removed file. So that the steps that follow see the same as
    /// they do, it is made one now.
    private func mark(
        _ name: FileName, in parent: LayeredRoot.Folder, _ editor: inout LayerEditor
    ) throws(BuildError) {
        let host = editor.upper.appending(parent.path)
        if name == LayerMarks.opaque {
            for shown in try editor.view.names(in: parent) {
                let own = host.appending(shown)
                switch try Node.read(own, .apply)?.kind {
                case nil: try FileCalls.makeWhiteout(own)
                case .directory: try FileCalls.setAttribute(own, FileCalls.opaqueAttribute, [0x79])
                default: break
                }
            }
            return
        }
        let hidden = FileName(name.dropFirst(LayerMarks.prefix.count))
        // The book-keeping of aufs, and marks of nothing.
        if hidden.isEmpty || hidden == [0x2e] || hidden == [0x2e, 0x2e] || hidden.starts(with: LayerMarks.prefix) {
            return
        }
        // A file that the archive itself brings stays: marks mean what is below.
        guard try Node.read(host.appending(hidden), .apply) == nil else { return }
        try FileCalls.makeWhiteout(host.appending(hidden))
    }

    private func link(
        _ host: HostPath, to entry: TarEntry, below folder: LayeredRoot.Folder, _ node: Node,
        _ editor: inout LayerEditor
    ) throws(BuildError) {
        let target = try resolve(ImagePath(entry.linkName), below: folder, editor, followingLast: false)
        guard case .file(let file)? = target.item else {
            throw BuildError(
                .context,
                "the archive's entry \(entry.name.text) is a link to \(entry.linkName.text), which is not there")
        }
        let own = editor.upper.appending(folder.path.appending(target.path))
        if file.host == own {
            try editor.writer.makeHardLink(host, to: own)
        } else {
            try editor.writer.copy(file.host, to: host, file.node)
        }
        // The header of a further name is the last word for the file, as in Docker.
        var last = file.node
        (last.uid, last.gid, last.mode, last.modified) = (node.uid, node.gid, node.mode, node.modified)
        try editor.writer.relabel(host, last)
        for (key, value) in entry.xattrs where FileCalls.isOfImage(key) {
            try FileCalls.setAttribute(host, key, value)
        }
    }

    private func node(of entry: TarEntry) -> Node {
        let kind: Node.Kind =
            switch entry.kind {
            case .file, .hardLink: .file
            case .directory: .directory
            case .symlink: .symlink
            case .characterDevice: .characterDevice
            case .blockDevice: .blockDevice
            case .fifo: .fifo
            }
        return Node(
            kind: kind, mode: entry.mode & 0o7777, uid: entry.uid, gid: entry.gid, size: entry.size,
            modified: Timestamp(
                seconds: entry.modified.seconds, nanoseconds: Int64(entry.modified.nanoseconds)),
            rdev: Node.device(major: entry.major, minor: entry.minor))
    }
}
