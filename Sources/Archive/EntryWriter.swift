import FileSystem
import Glibc

/// Makes the files of a layer with what the archive says of them.
struct EntryWriter {
    let ownership: OwnershipPolicy

    static func failure(_ error: FileSystemError, _ entry: [UInt8]) -> ArchiveError {
        let shown = entry.isEmpty ? "/" : String(decoding: entry.prefix(200), as: UTF8.self)
        return ArchiveError(
            error.code == ELOOP || error.code == ENOTDIR || error.code == ENAMETOOLONG ? .malformed : .fileSystem,
            "cannot unpack the entry", place: shown, cause: "\(error.summary): \(errorText(error.code))",
            hint: error.code == EINVAL && error.operation == LayerTree.ownerChange
                ? "a user namespace may have fewer ids than the image: give this user more in /etc/subuid and /etc/subgid"
                : error.hint)
    }

    static func attributes(of entry: TarEntry) -> LayerTree.DirectoryAttributes {
        LayerTree.DirectoryAttributes(
            mode: entry.mode, uid: entry.uid, gid: entry.gid, time: entry.time, xattrs: entry.xattrs)
    }

    // MARK: Files

    /// Makes an empty file that nobody else can write. EEXIST when the name is taken.
    ///
    /// - Parameter mode: what it will have in the end; special bits, and what the process's mask forbids, come then.
    func open(_ name: [UInt8], in parent: Directory, mode: UInt32 = 0o600) throws(FileSystemError) -> FileHandle {
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
        return try parent.openFile(name, flags: flags, mode: mode & 0o755 | 0o600)
    }

    func copy<Source: ByteSource & ~Copyable>(
        _ entry: TarEntry, to file: borrowing FileHandle, _ reader: inout TarReader<Source>
    ) throws(ArchiveError) {
        guard entry.size > 0 else { return }
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Int(min(entry.size, 256 << 10)), alignment: 4_096)
        defer { buffer.deallocate() }
        var hasHoles = false
        while true {
            let count = try reader.read(into: buffer)
            if count == 0 { break }
            let piece = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            // What is nothing but zeros takes no room.
            if count >= 4_096, Zeros.fill(piece), Zeros.skip(count, in: file.fd) {
                hasHoles = true
                continue
            }
            do throws(FileSystemError) { try file.write(all: piece) } catch {
                throw Self.failure(error, entry.name)
            }
        }
        guard hasHoles, ftruncate(file.fd, off_t(entry.size)) != 0 else { return }
        throw Self.failure(LayerTree.failure("set the size", entry.name, errno), entry.name)
    }

    func apply(
        _ entry: TarEntry, to file: borrowing FileHandle, _ summary: inout ExtractionSummary
    ) throws(FileSystemError) {
        try apply(Self.attributes(of: entry), of: entry.name, to: file, &summary)
    }

    /// Gives a directory what it is to have; nothing happens where none is any more.
    func apply(
        _ attributes: LayerTree.DirectoryAttributes, to path: [UInt8], in root: Directory,
        _ summary: inout ExtractionSummary
    ) throws(FileSystemError) {
        func open() throws(FileSystemError) -> FileHandle {
            try root.openFile(path.isEmpty ? [0x2e] : path, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        }
        let folder: FileHandle
        do throws(FileSystemError) { folder = try open() } catch {
            if error.isNotFound || error.code == ELOOP { return }
            // One that was here before, and that nobody may list.
            guard error.code == EACCES else { throw error }
            try root.setMode(path, 0o700)
            folder = try open()
        }
        try apply(attributes, of: path, to: folder, &summary)
    }

    /// Owner, attributes, mode, time: in this order, because a change of owner takes away file capabilities and setuid,
    /// a closed mode forbids attributes, and everything changes the time.
    private func apply(
        _ attributes: LayerTree.DirectoryAttributes, of name: [UInt8], to file: borrowing FileHandle,
        _ summary: inout ExtractionSummary
    ) throws(FileSystemError) {
        let fd = file.fd
        // Most files are made as they are to be: to look is cheaper than to set the same once more.
        let status = try file.status()
        switch ownership {
        case .apply where status.uid == attributes.uid && status.gid == attributes.gid: break
        case .apply:
            guard fchown(fd, attributes.uid, attributes.gid) == 0 else {
                throw LayerTree.failure(LayerTree.ownerChange, name, errno)
            }
        case .record:
            let record = OwnershipRecord(uid: attributes.uid, gid: attributes.gid)
            if record.isNeeded { try ExtendedAttributes.set(OwnershipRecord.attribute, record.text, fd: fd) }
        }
        try setAttributes(attributes.xattrs, &summary) { name, value throws(FileSystemError) in
            if ownership == .record, name == OwnershipRecord.markerAttribute {
                try ExtendedAttributes.setInNamespace(name, value, fd: fd)
            } else {
                try ExtendedAttributes.set(name, value, fd: fd)
            }
        }
        // A change of the owner takes away special bits of files that were there before; none are before this.
        if status.mode != attributes.mode {
            guard fchmod(fd, attributes.mode) == 0 else { throw LayerTree.failure("change the mode", name, errno) }
        }
        let time = timespec(tv_sec: Int(attributes.time.seconds), tv_nsec: Int(attributes.time.nanoseconds))
        guard futimens(fd, [time, time]) == 0 else { throw LayerTree.failure("set the time", name, errno) }
    }

    // MARK: Others

    func makeSymlink(_ entry: TarEntry, _ name: [UInt8], in parent: Directory) throws(FileSystemError) {
        try parent.symlink(name, target: entry.linkName)
        try setOwner(of: entry, name, in: parent)
        try parent.setTime(name, entry.time)
    }

    /// Gives a file of any kind, which has an owner, mode and time already, others.
    func relabel(
        _ path: [UInt8], _ status: FileStatus, as attributes: LayerTree.DirectoryAttributes, in root: Directory,
        _ summary: inout ExtractionSummary
    ) throws(FileSystemError) {
        var attributes = attributes
        if status.type == .symlink { attributes.mode = status.mode }
        let isSame = attributes.mode == status.mode && attributes.time == status.mtime && attributes.xattrs.isEmpty
        switch ownership {
        case .apply:
            if isSame, status.uid == attributes.uid, status.gid == attributes.gid { return }
        case .record:
            let record = status.type == .file ? try OwnershipRecord.read(path, in: root) : nil
            if isSame, status.type == .file, record?.uid ?? 0 == attributes.uid, record?.gid ?? 0 == attributes.gid {
                return
            }
            // Nobody but root writes to what its mode closes.
            if status.type == .file, status.mode & 0o600 != 0o600 { try root.setMode(path, status.mode | 0o600) }
            // What the record says beside the owner stays.
            if let record, record.node != nil || record.uid != attributes.uid || record.gid != attributes.gid {
                let node = record.node.map {
                    OwnershipRecord.Node(mode: $0.mode & S_IFMT | attributes.mode, rdev: $0.rdev)
                }
                let changed = OwnershipRecord(uid: attributes.uid, gid: attributes.gid, node: node)
                try root.setAttribute(path, OwnershipRecord.attribute, changed.text)
                if node != nil { return try root.setTime(path, attributes.time) }
            }
        }
        guard status.type == .file else {
            let entry = TarEntry(name: path, kind: .fifo, uid: attributes.uid, gid: attributes.gid)
            try setOwner(of: entry, path, in: root)
            if status.type != .symlink { try root.setMode(path, attributes.mode) }
            return try root.setTime(path, attributes.time)
        }
        try apply(attributes, of: path, to: try root.openFile(path, flags: O_RDONLY | O_NOFOLLOW), &summary)
    }

    /// The owner of a file that can carry no record of users.
    private func setOwner(of entry: TarEntry, _ name: [UInt8], in parent: Directory) throws(FileSystemError) {
        switch ownership {
        case .apply: try parent.setOwner(name, uid: entry.uid, gid: entry.gid)
        case .record:
            let record = OwnershipRecord(uid: entry.uid, gid: entry.gid)
            guard record.isNeeded else { return }
            do throws(FileSystemError) {
                try parent.setAttributeInNamespace(name, OwnershipRecord.markerAttribute, record.marker)
            } catch {
                // Where no namespace can be made no step can run either, and only a copy of this very file would tell.
                guard error.code == EPERM || error.code == ENOSPC || error.code == ENOTSUP else { throw error }
            }
        }
    }

    func makeNode(
        _ entry: TarEntry, _ name: [UInt8], in parent: Directory, _ summary: inout ExtractionSummary
    ) throws(FileSystemError) {
        let type: mode_t =
            switch entry.kind {
            case .characterDevice: S_IFCHR
            case .blockDevice: S_IFBLK
            default: S_IFIFO
            }
        let device = entry.kind == .fifo ? 0 : deviceNumber(major: entry.major, minor: entry.minor)
        if ownership == .record, entry.kind != .fifo {
            let file = try open(name, in: parent)
            let node = OwnershipRecord.Node(mode: type | entry.mode, rdev: device)
            let record = OwnershipRecord(uid: entry.uid, gid: entry.gid, node: node)
            try ExtendedAttributes.set(OwnershipRecord.attribute, record.text, fd: file.fd)
        } else {
            do throws(FileSystemError) { try parent.makeNode(name, mode: type | 0o600, device: device) } catch {
                guard error.code == EPERM, entry.kind != .fifo else { throw error }
                // Inside a user namespace nobody makes device nodes: what it is, is written down.
                let file = try open(name, in: parent)
                let node = OwnershipRecord.Node(mode: type | entry.mode, rdev: device)
                let record = OwnershipRecord(uid: entry.uid, gid: entry.gid, node: node)
                try ExtendedAttributes.set(OwnershipRecord.attribute, record.text, fd: file.fd)
            }
            if ownership == .apply {
                try parent.setOwner(name, uid: entry.uid, gid: entry.gid)
                try parent.setMode(name, entry.mode)
            } else {
                try parent.setMode(name, entry.mode)
                try setOwner(of: entry, name, in: parent)
            }
        }
        try parent.setTime(name, entry.time)
    }

    /// A file of a lower layer again in this one, with everything that it has there.
    func copyUp(
        _ path: [UInt8], _ status: FileStatus, from lower: Directory, to name: [UInt8], in parent: Directory,
        _ summary: inout ExtractionSummary
    ) throws(FileSystemError) {
        var entry = TarEntry(name: path, kind: .file, mode: status.mode, uid: status.uid, gid: status.gid)
        entry.modified = TarEntry.Time(seconds: status.mtime.seconds, nanoseconds: Int32(status.mtime.nanoseconds))
        let record = status.type == .file ? try OwnershipRecord.read(path, in: lower) : nil
        if ownership == .record {
            entry.uid = record?.uid ?? 0
            entry.gid = record?.gid ?? 0
        }
        switch status.type {
        case .symlink:
            entry.linkName = try lower.readLink(path)
            try makeSymlink(entry, name, in: parent)
        case .characterDevice, .blockDevice, .fifo:
            entry.kind =
                status.type == .fifo ? .fifo : status.type == .blockDevice ? .blockDevice : .characterDevice
            (entry.major, entry.minor) = deviceParts(status.rdev)
            try makeNode(entry, name, in: parent, &summary)
        case .socket, .directory: throw LayerTree.failure("link the file", path, EPERM)
        case .file:
            for attribute in try lower.attributeNames(path) where AttributeNames.belongsToImage(attribute) {
                entry.xattrs[attribute] = try lower.attribute(path, attribute)
            }
            let source = try lower.openFile(path, flags: O_RDONLY | O_NOFOLLOW)
            let target = try open(name, in: parent)
            try source.copyAll(to: target)
            try apply(entry, to: target, &summary)
            if let node = record?.node {
                let record = OwnershipRecord(uid: entry.uid, gid: entry.gid, node: node)
                try ExtendedAttributes.set(OwnershipRecord.attribute, record.text, fd: target.fd)
            }
        }
    }

    private func setAttributes(
        _ attributes: [String: [UInt8]], _ summary: inout ExtractionSummary,
        _ set: (String, [UInt8]) throws(FileSystemError) -> Void
    ) throws(FileSystemError) {
        for (name, value) in attributes {
            guard AttributeNames.belongsToImage(name) else {
                summary.skippedAttributes += 1
                continue
            }
            do throws(FileSystemError) { try set(name, value) } catch {
                guard error.code == ENOTSUP || error.code == EPERM || error.code == EINVAL else { throw error }
                summary.skippedAttributes += 1
            }
        }
    }
}

extension TarEntry {
    var time: FileTime {
        FileTime(seconds: modified.seconds, nanoseconds: UInt32(clamping: min(modified.nanoseconds, 999_999_999)))
    }
}
