import Archive
import CLinux
import Glibc
import Sandbox

/// Makes files with their metadata in a directory of the build.
struct NodeWriter: Sendable {
    let ownership: OwnershipMode

    func makeDirectory(_ path: HostPath, _ node: Node) throws(BuildError) {
        try FileCalls.makeDirectory(path, mode: 0o700)
        try apply(node, to: path)
    }

    func makeSymlink(_ path: HostPath, target: [UInt8], _ node: Node) throws(BuildError) {
        let terminated = target.map { CChar(bitPattern: $0) } + [0]
        guard path.withCString({ symlink(terminated, $0) }) == 0 else { throw path.failure("make the link") }
        switch ownership {
        case .apply: try giveAway(path, node)
        case .record: try RecordedOwner.write(node, to: path)
        }
        try FileCalls.setModified(path, node.modified)
    }

    /// Makes a device node, a fifo, or the empty file that a socket becomes.
    func makeSpecial(_ path: HostPath, _ node: Node) throws(BuildError) {
        switch node.kind {
        case .characterDevice, .blockDevice:
            guard ownership == .apply else {
                _ = try FileContent.create(path)
                try RecordedOwner.write(node, to: path)
                try FileCalls.setModified(path, node.modified)
                return
            }
            let type = node.kind == .characterDevice ? S_IFCHR : S_IFBLK
            if path.withCString({ mknod($0, type | 0o600, dev_t(node.rdev)) }) != 0 {
                guard errno == EPERM else { throw path.failure("make the device node") }
                // In a user namespace nobody makes one.
                _ = try FileContent.create(path)
                try RecordedOwner.write(node, to: path)
            }
        case .fifo:
            guard path.withCString({ mkfifo($0, 0o600) }) == 0 else { throw path.failure("make the fifo") }
        case .socket, .file, .directory, .symlink:
            _ = try FileContent.create(path)
        }
        try apply(node, to: path)
    }

    func makeHardLink(_ path: HostPath, to existing: HostPath) throws(BuildError) {
        let result = existing.withCString { from in
            path.withCString { linkat(AT_FDCWD, from, AT_FDCWD, $0, 0) }
        }
        guard result == 0 else { throw path.failure("make the hard link") }
    }

    /// Copies one file, link or special file of another directory, with its metadata as `node` has it.
    func copy(_ source: HostPath, to path: HostPath, _ node: Node) throws(BuildError) {
        switch node.kind {
        case .directory:
            try makeDirectory(path, node)
            try copyAttributes(source, to: path)
        case .symlink:
            try makeSymlink(path, target: try FileCalls.target(ofLink: source), node)
        case .file:
            let descriptor = try FileContent.create(path, mode: node.mode)
            try FileContent.copy(source, to: descriptor.raw, path)
            try apply(node, toFile: descriptor.raw, path) { () throws(BuildError) in
                try copyAttributes(source, to: path)
            }
        case .characterDevice, .blockDevice, .fifo, .socket:
            try makeSpecial(path, node)
        }
    }

    func copyAttributes(_ source: HostPath, to path: HostPath) throws(BuildError) {
        for (name, value) in try FileCalls.attributes(of: source) {
            if ownership == .record, name == OwnershipRecord.markerAttribute {
                try RecordedOwner.setPrivileged(path, name, value)
                continue
            }
            if ownership == .record && !name.hasPrefix("user.") { continue }
            try FileCalls.setAttribute(path, name, value)
        }
    }

    /// Gives a path the owner, mode and time of `node`, in the order in which the kernel keeps all of them.
    func apply(_ node: Node, to path: HostPath) throws(BuildError) {
        switch ownership {
        case .apply: try giveAway(path, node)
        case .record: try RecordedOwner.write(node, to: path)
        }
        try FileCalls.setMode(path, node.mode)
        try FileCalls.setModified(path, node.modified)
    }

    /// As `apply`, for a file of any kind that has an owner already: that owner is forgotten.
    func relabel(_ path: HostPath, _ node: Node) throws(BuildError) {
        switch ownership {
        case .apply: try giveAway(path, node)
        case .record: try RecordedOwner.replace(by: node, at: path)
        }
        if node.kind != .symlink { try FileCalls.setMode(path, node.mode) }
        try FileCalls.setModified(path, node.modified)
    }

    /// The same for a regular file that is open for writing, which spares looking its path up again and again.
    ///
    /// - Parameter attributes: sets the extended attributes: after the owner, whose change takes file capabilities away.
    func apply(
        _ node: Node, toFile descriptor: Int32, _ path: HostPath, attributes: () throws(BuildError) -> Void
    ) throws(BuildError) {
        // Most files are made as they are to be: to look is cheaper than to set the same once more.
        let made = try Node.read(descriptor, path)
        switch ownership {
        case .apply where made?.uid == node.uid && made?.gid == node.gid: break
        case .apply:
            guard fchown(descriptor, node.uid, node.gid) == 0 else { throw Self.ownerFailure(path, node) }
        case .record: try RecordedOwner.write(node, to: path)
        }
        if made?.mode != node.mode {
            guard fchmod(descriptor, node.mode) == 0 else { throw path.failure("set the mode of the file") }
        }
        try attributes()
        try FileCalls.setModified(descriptor, path, node.modified)
    }

    private static func ownerFailure(_ path: HostPath, _ node: Node) -> BuildError {
        let isUnknown = errno == EINVAL
        var error = path.failure("give the file to \(node.uid):\(node.gid)")
        if isUnknown { error.hint = SubordinateIDs.remedy }
        return error
    }

    private func giveAway(_ path: HostPath, _ node: Node) throws(BuildError) {
        guard path.withCString({ lchown($0, node.uid, node.gid) }) == 0 else { throw Self.ownerFailure(path, node) }
    }
}
