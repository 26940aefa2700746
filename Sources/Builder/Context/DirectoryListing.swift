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
        /// In the list.
        let place: Int
    }

    /// As many folders are in memory at once, beside the list.
    private static let batchSize = 512

    func listing(below host: HostPath, _ path: ImagePath) async throws(BuildError) -> ContextListing {
        var listing = ContextListing()
        var place = ContextListing.root
        for name in path.components { place = listing.append(passed: name, below: place) }
        var level = [Folder(host: host, path: path.joined, place: place)]
        while !level.isEmpty {
            var next: [Folder] = []
            for start in stride(from: 0, to: level.count, by: Self.batchSize) {
                let batch = Array(level[start..<min(start + Self.batchSize, level.count)])
                let found = try await mapBlocking(batch, share: 4) { (folder) throws(BuildError) in try list(folder) }
                for (folder, here) in zip(batch, found) {
                    let first = listing.append(contentsOf: here, below: folder.place)
                    for place in here.places.dropFirst() where here.isDirectory(place) {
                        let name = FileName(here.name(of: place))
                        next.append(
                            Folder(
                                host: folder.host.appending(name), path: Self.path(name, in: folder),
                                place: first + place - 1))
                    }
                }
            }
            level = next
        }
        return listing
    }

    private static func path(_ name: FileName, in folder: Folder) -> [UInt8] {
        folder.path.isEmpty ? name : folder.path + [0x2f] + name
    }

    /// What is in a folder, as a list of its own.
    private func list(_ folder: Folder) throws(BuildError) -> ContextListing {
        let descriptor = try FileCalls.open(directory: folder.host, following: folder.path.isEmpty)
        var found = ContextListing()
        for name in try FileCalls.names(in: descriptor, folder.host) {
            guard var node = try Node.read(name, in: descriptor.raw, folder.host) else { continue }
            if isUnpacked, node.kind == .file { RecordedOwner.applyDevice(to: &node, at: folder.host.appending(name)) }
            let known = node.kind == .file ? index?.record(for: ContextIndex.State(node)) : nil
            let entry = try entry(node, Self.path(name, in: folder), folder.host.appending(name), known)
            found.append(entry, named: name, below: ContextListing.root, digest: known?.digest)
        }
        return found
    }

    private func entry(
        _ node: Node, _ path: [UInt8], _ host: HostPath, _ known: ContextIndex.Record?
    ) throws(BuildError) -> ContextEntry {
        let kind: ContextEntry.Kind
        switch node.kind {
        case .file: kind = .file
        case .directory: kind = .directory
        case .symlink: kind = .symlink(target: try FileCalls.target(ofLink: host))
        case .fifo: kind = .fifo
        case .socket: kind = .socket
        case .characterDevice, .blockDevice:
            kind = .unavailable(reason: "it is a device node", hint: "exclude it by .dockerignore")
        }
        var entry = ContextEntry(
            pathBytes: path, kind: kind, mode: node.mode, size: node.size, modified: node.modified.seconds)
        entry.modifiedNanoseconds = node.modified.nanoseconds
        if node.kind == .file || node.kind == .directory, known?.hasAttributes != false {
            entry.attributes = try FileCalls.attributes(of: host)
        }
        if node.kind != .directory, node.links > 1 {
            entry.linkIdentity = ContextEntry.LinkIdentity(device: node.device, inode: node.inode)
        }
        return entry
    }
}
