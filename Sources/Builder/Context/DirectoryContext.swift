import Glibc

/// A directory as a context. Links are listed, never followed; what lies outside is out of reach.
package struct DirectoryContext: BuildContext {
    private let path: HostPath
    package var displayName: String { path.text }

    package init(path: String) throws(BuildError) {
        self.path = HostPath(path)
        guard let node = try Node.read(self.path.appending("."), .apply), node.kind == .directory else {
            throw BuildError(
                .context, "the build context is not a directory", place: path,
                hint: "name an existing directory as the context")
        }
    }

    package func entries(under folder: String) async throws(BuildError) -> [ContextEntry] {
        let start = ImagePath(folder)
        var host = path
        for name in start.components {
            host = host.appending(name)
            guard let node = try Node.read(host, .apply), node.kind == .directory else {
                throw BuildError(.context, "there is no folder \(folder) in the context", place: path.text)
            }
        }
        var found: [ContextEntry] = []
        try list(host, start.joined, into: &found)
        return found
    }

    private func list(_ directory: HostPath, _ prefix: [UInt8], into found: inout [ContextEntry]) throws(BuildError) {
        for name in try FileCalls.names(in: directory) {
            let host = directory.appending(name)
            let relative = prefix.isEmpty ? name : prefix + [0x2f] + name
            guard let node = try Node.read(host, .apply) else { continue }
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
                pathBytes: relative, kind: kind, mode: node.mode, size: node.size, modified: node.modified.seconds)
            if node.kind == .file || node.kind == .directory { entry.attributes = try FileCalls.attributes(of: host) }
            if node.kind != .directory, node.links > 1 {
                entry.linkIdentity = ContextEntry.LinkIdentity(device: node.device, inode: node.inode)
            }
            found.append(entry)
            if node.kind == .directory { try list(host, relative, into: &found) }
        }
    }

    package func read(
        _ entry: ContextEntry, _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError) {
        let names = ImagePath.split(entry.pathBytes)
        guard !names.contains([0x2e, 0x2e]) else {
            throw BuildError(.context, "the path leads out of the context", place: entry.path)
        }
        // Nothing on the way may have become a link since it was listed.
        var host = path
        for name in names.dropLast() {
            host = host.appending(name)
            guard try Node.read(host, .apply)?.kind == .directory else {
                throw BuildError(.context, "the context changed while it was read", place: host.text)
            }
        }
        try FileContent.stream(path.appending(ImagePath(components: names)), sink)
    }
}
