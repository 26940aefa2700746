import Blocking
import Glibc
import OCI

/// Lists all that is below a folder of a directory context: one look at each file, the folders of one depth side by side.
struct DirectoryListing: Sendable {
    /// Where to look up what the files held when they were last read.
    let index: ContextIndex?
    /// Whether an archive was unpacked here by us, whose device nodes may be kept as files.
    let isUnpacked: Bool

    private struct Folder: Sendable {
        let host: HostPath
        /// Relative to the context's root.
        let path: [UInt8]
    }

    private struct Found: Sendable {
        var entries: [ContextEntry] = []
        /// Those of the entries that are folders, in the same order.
        var folders: [Folder] = []
    }

    /// - Returns: each folder before what it holds, names in the order of their bytes.
    func entries(below host: HostPath, _ path: [UInt8]) async throws(BuildError) -> [ContextEntry] {
        var found: [Found] = []
        var level = [Folder(host: host, path: path)]
        while !level.isEmpty {
            let here = try await mapBlocking(level, share: 4) { (folder) throws(BuildError) in try list(folder) }
            found += here
            level = here.flatMap(\.folders)
        }
        return Self.inDepth(found)
    }

    /// What was found level by level, in the order of a walk.
    private static func inDepth(_ found: [Found]) -> [ContextEntry] {
        var firstChild: [Int] = []
        var next = 1
        for one in found {
            firstChild.append(next)
            next += one.folders.count
        }
        var result: [ContextEntry] = []
        result.reserveCapacity(found.reduce(0) { $0 + $1.entries.count })
        var stack = [(folder: 0, entry: 0, child: 1)]
        while let top = stack.popLast() {
            let entries = found[top.folder].entries
            var place = top.entry
            while place < entries.count {
                result.append(entries[place])
                place += 1
                guard entries[place - 1].kind == .directory else { continue }
                stack.append((top.folder, place, top.child + 1))
                stack.append((top.child, 0, firstChild[top.child]))
                break
            }
        }
        return result
    }

    private func list(_ folder: Folder) throws(BuildError) -> Found {
        let descriptor = try FileCalls.open(directory: folder.host, following: folder.path.isEmpty)
        var found = Found()
        for name in try FileCalls.names(in: descriptor, folder.host) {
            guard var node = try Node.read(name, in: descriptor.raw, folder.host) else { continue }
            if isUnpacked, node.kind == .file { RecordedOwner.applyDevice(to: &node, at: folder.host.appending(name)) }
            let path = folder.path.isEmpty ? name : folder.path + [0x2f] + name
            found.entries.append(try entry(node, path, folder.host, name))
            if node.kind == .directory {
                found.folders.append(Folder(host: folder.host.appending(name), path: path))
            }
        }
        return found
    }

    private func entry(
        _ node: Node, _ path: [UInt8], _ directory: HostPath, _ name: FileName
    ) throws(BuildError) -> ContextEntry {
        let kind: ContextEntry.Kind
        switch node.kind {
        case .file: kind = .file
        case .directory: kind = .directory
        case .symlink: kind = .symlink(target: try FileCalls.target(ofLink: directory.appending(name)))
        case .fifo: kind = .fifo
        case .socket: kind = .socket
        case .characterDevice, .blockDevice:
            kind = .unavailable(reason: "it is a device node", hint: "exclude it by .dockerignore")
        }
        var entry = ContextEntry(
            pathBytes: path, kind: kind, mode: node.mode, size: node.size, modified: node.modified.seconds)
        entry.modifiedNanoseconds = node.modified.nanoseconds
        if node.kind == .file, let known = index?.record(for: ContextIndex.State(node)) {
            entry.contentID = ContentIdentity.name(known.digest, size: node.size)
            if known.hasAttributes { entry.attributes = try FileCalls.attributes(of: directory.appending(name)) }
        } else if node.kind == .file || node.kind == .directory {
            entry.attributes = try FileCalls.attributes(of: directory.appending(name))
        }
        if node.kind != .directory, node.links > 1 {
            entry.linkIdentity = ContextEntry.LinkIdentity(device: node.device, inode: node.inode)
        }
        return entry
    }
}
