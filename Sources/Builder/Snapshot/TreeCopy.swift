/// Copies whole folders of one stage's file system into a directory: `COPY --from`, and the one root that a chroot needs.
/// Files that are links to each other stay so.
struct TreeCopy {
    let writer: NodeWriter
    /// What is not written over.
    var kept = KeptPaths.none
    /// By device and inode of the source: where the first name went.
    private var firstNames: [FileIdentity: HostPath] = [:]

    init(writer: NodeWriter, kept: KeptPaths = .none) {
        self.writer = writer
        self.kept = kept
    }

    /// Copies one file to a place where nothing is.
    mutating func copyFile(_ file: LayeredRoot.File, to host: HostPath, as node: Node) throws(BuildError) {
        if file.node.links > 1, file.node.kind != .directory {
            let identity = FileIdentity(file.node)
            if let first = firstNames[identity] {
                try writer.makeHardLink(host, to: first)
                return
            }
            firstNames[identity] = host
        }
        try writer.copy(file.host, to: host, node)
    }

    /// Copies everything below a folder into a directory that is empty but for what is kept, metadata as it is.
    mutating func copyChildren(of folder: LayeredRoot.Folder, in root: LayeredRoot, to host: HostPath)
        throws(BuildError)
    {
        for (name, item) in try root.children(of: folder) {
            let target = host.appending(name)
            if kept.contains(target) { continue }
            let isThere = kept.isAbove(target)
            switch item {
            case .file(let file):
                // A directory with something in it that stays cannot become a file.
                if !isThere { try copyFile(file, to: target, as: file.node) }
            case .folder(let below):
                if isThere {
                    try writer.apply(below.node.writable, to: target)
                } else {
                    try writer.makeDirectory(target, below.node.writable)
                }
                if let source = below.hosts.first { try writer.copyAttributes(source, to: target) }
                try copyChildren(of: below, in: root, to: target)
                try FileCalls.setMode(target, below.node.mode)
                try FileCalls.setModified(target, below.node.modified)
            }
        }
    }

    /// The whole file system as one directory.
    mutating func materialise(_ root: LayeredRoot, at host: HostPath) throws(BuildError) {
        let top = try root.root()
        try copyChildren(of: top, in: root, to: host)
        try writer.apply(top.node, to: host)
    }
}
