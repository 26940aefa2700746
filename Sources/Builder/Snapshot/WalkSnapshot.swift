import CLinux
import Glibc

/// The state of a directory tree, and what became of it since. For roots that no overlay can be laid over.
///
/// Changes are seen by inode and change time, which no program can set back; contents are never hashed.
struct WalkSnapshot: Sendable {
    private struct Folder: Sendable {
        var files: [FileName: Node] = [:]
        var folders: [FileName: (node: Node, content: Folder)] = [:]
    }

    private let root: HostPath
    private let ownership: OwnershipMode
    /// What is not looked at.
    private let kept: KeptPaths
    private let before: Folder
    private let rootNode: Node

    /// Looks at every file once.
    init(of root: HostPath, _ ownership: OwnershipMode, kept: KeptPaths = .none) throws(BuildError) {
        self.root = root
        self.kept = kept
        self.ownership = ownership
        guard let node = try Node.read(root, ownership) else {
            throw BuildError(.storage, "the root of the build vanished", place: root.text)
        }
        rootNode = node
        before = try Self.record(root, ownership, kept)
        Self.awaitTick()
    }

    /// Waits until the clock that files are stamped with has gone on: what changes from now on has another change time than
    /// what was just looked at. A tick takes 10 ms at most.
    private static func awaitTick() {
        var start = timespec()
        var now = timespec()
        clock_gettime(CLOCK_REALTIME_COARSE, &start)
        for _ in 0..<100 {
            usleep(1_000)
            clock_gettime(CLOCK_REALTIME_COARSE, &now)
            if (now.tv_sec, now.tv_nsec) != (start.tv_sec, start.tv_nsec) { return }
        }
    }

    private static func record(
        _ directory: HostPath, _ ownership: OwnershipMode, _ kept: KeptPaths
    ) throws(BuildError) -> Folder {
        var folder = Folder()
        for name in try FileCalls.names(in: directory) {
            let host = directory.appending(name)
            guard !kept.contains(host), let node = try Node.read(host, ownership) else { continue }
            if node.kind == .directory {
                folder.folders[name] = (node, try record(host, ownership, kept))
            } else {
                folder.files[name] = node
            }
        }
        return folder
    }

    /// Writes what changed since into an empty directory, in overlay format.
    func writeChanges(to upper: HostPath) throws(BuildError) {
        var copy = TreeCopy(writer: NodeWriter(ownership: ownership))
        guard let node = try Node.read(root, ownership) else { return }
        try copy.writer.apply(node, to: upper)
        try writeChanges(of: root, since: before, to: upper, &copy)
        try FileCalls.setModified(upper, node.modified)
    }

    private func writeChanges(
        of directory: HostPath, since old: Folder, to upper: HostPath, _ copy: inout TreeCopy
    ) throws(BuildError) {
        let names = try FileCalls.names(in: directory)
        let present = Set(names)
        for name in Set(old.files.keys).union(old.folders.keys).subtracting(present) {
            try FileCalls.makeWhiteout(upper.appending(name))
        }
        for name in names {
            let host = directory.appending(name)
            let target = upper.appending(name)
            guard !kept.contains(host), let node = try Node.read(host, ownership) else { continue }
            guard node.kind == .directory else {
                if old.files[name] == node || node.kind == .socket { continue }
                let file = LayeredRoot.File(path: .root, host: host, node: node)
                try copy.copyFile(file, to: target, as: node)
                continue
            }
            // Made for what may lie below, and taken away again when there was nothing.
            try copy.writer.makeDirectory(target, node)
            try copy.writer.copyAttributes(host, to: target)
            let known = old.folders[name]
            try writeChanges(of: host, since: known?.content ?? Folder(), to: target, &copy)
            if known?.node == node, target.withCString({ rmdir($0) }) == 0 { continue }
            try FileCalls.setModified(target, node.modified)
        }
    }
}
