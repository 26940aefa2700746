/// A stage's file system: directories in overlay format laid over each other, seen without mounting anything.
///
/// Paths are resolved as in a chroot: links stay inside, `..` stops at the root.
struct LayeredRoot: Sendable {
    /// Lowest first.
    var layers: [HostPath]
    let ownership: OwnershipMode

    /// A directory as it is seen: which layers' directories are merged in it, topmost first, and the metadata of the top.
    struct Folder: Sendable {
        let path: ImagePath
        let hosts: [HostPath]
        let node: Node
    }

    /// Anything but a directory.
    struct File: Sendable {
        let path: ImagePath
        let host: HostPath
        let node: Node
    }

    enum Item: Sendable {
        case folder(Folder)
        case file(File)

        var node: Node {
            switch self {
            case .folder(let folder): folder.node
            case .file(let file): file.node
            }
        }

        var path: ImagePath {
            switch self {
            case .folder(let folder): folder.path
            case .file(let file): file.path
            }
        }

        /// Where the item's own metadata is.
        var host: HostPath? {
            switch self {
            case .folder(let folder): folder.hosts.first
            case .file(let file): file.host
            }
        }
    }

    func root() throws(BuildError) -> Folder {
        var node: Node?
        if let top = layers.last { node = try Node.read(top, ownership) }
        return Folder(path: .root, hosts: layers.reversed(), node: node ?? .emptyRoot)
    }

    /// What a name in a folder stands for.
    func child(_ name: FileName, of folder: Folder) throws(BuildError) -> Item? {
        let path = folder.path.appending(name)
        var hosts: [HostPath] = []
        var top: Node?
        for directory in folder.hosts {
            let host = directory.appending(name)
            guard let node = try Node.read(host, ownership) else { continue }
            if node.isWhiteout { break }
            guard node.kind == .directory else {
                if top == nil { return .file(File(path: path, host: host, node: node)) }
                break
            }
            hosts.append(host)
            if top == nil { top = node }
            if FileCalls.isOpaque(host) { break }
        }
        guard let top else { return nil }
        return .folder(Folder(path: path, hosts: hosts, node: top))
    }

    /// The names that a folder shows, sorted by their bytes.
    func names(in folder: Folder) throws(BuildError) -> [FileName] {
        if folder.hosts.count == 1, let only = folder.hosts.first {
            let names = try FileCalls.names(in: only)
            var seen: [FileName] = []
            seen.reserveCapacity(names.count)
            for name in names where try child(name, of: folder) != nil { seen.append(name) }
            return seen
        }
        var candidates: Set<FileName> = []
        for host in folder.hosts { candidates.formUnion(try FileCalls.names(in: host)) }
        var seen: [FileName] = []
        for name in candidates where try child(name, of: folder) != nil { seen.append(name) }
        return seen.sorted { $0.lexicographicallyPrecedes($1) }
    }

    func children(of folder: Folder) throws(BuildError) -> [(name: FileName, item: Item)] {
        var found: [(name: FileName, item: Item)] = []
        var candidates: Set<FileName> = []
        for host in folder.hosts { candidates.formUnion(try FileCalls.names(in: host)) }
        found.reserveCapacity(candidates.count)
        for name in candidates.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            if let item = try child(name, of: folder) { found.append((name, item)) }
        }
        return found
    }

    // MARK: Resolving

    /// Where a path leads: free of links, and what stands there (`nil`: nothing yet).
    struct Resolved: Sendable {
        let path: ImagePath
        let item: Item?
    }

    private static let linkLimit = 255

    /// Follows a path. Names that do not exist are kept as they are, so that the result is where a file would be made.
    ///
    /// - Parameters:
    ///   - followingLast: whether a link at the very end is followed too.
    ///   - upper: a layer whose own links are not followed at the very end.
    func resolve(
        _ path: ImagePath, followingLast: Bool = true, butIn upper: HostPath? = nil
    ) throws(BuildError) -> Resolved {
        try resolve(names: path.components, shown: path, followingLast: followingLast, butIn: upper)
    }

    private func resolve(
        names: [FileName], shown: ImagePath, followingLast: Bool, butIn upper: HostPath?
    ) throws(BuildError) -> Resolved {
        var pending = Array(names.reversed())
        // The folders from the root down; `nil` for those that do not exist yet.
        var trail: [(name: FileName, folder: Folder?)] = []
        let top = try root()
        var followed = 0
        while let name = pending.popLast() {
            if name == [0x2e, 0x2e] {
                _ = trail.popLast()
                continue
            }
            let here = trail.isEmpty ? top : trail[trail.count - 1].folder
            guard let here, let item = try child(name, of: here) else {
                trail.append((name, nil))
                continue
            }
            switch item {
            case .folder(let folder):
                trail.append((name, folder))
            case .file(let file):
                let isKept = pending.isEmpty && (!followingLast || upper?.appending(file.path) == file.host)
                if file.node.kind == .symlink, !isKept {
                    followed += 1
                    guard followed <= Self.linkLimit else {
                        throw BuildError(.destination, "\(shown.text) leads through too many symbolic links")
                    }
                    let target = try FileCalls.target(ofLink: file.host)
                    if target.first == 0x2f { trail.removeAll() }
                    pending.append(contentsOf: ImagePath.split(target).reversed())
                    continue
                }
                guard pending.isEmpty else {
                    throw BuildError(
                        .destination, "\(shown.text) leads through \(file.path.text), which is not a directory")
                }
                return Resolved(path: file.path, item: item)
            }
        }
        let path = ImagePath(components: trail.map(\.name))
        let folder = trail.isEmpty ? top : trail[trail.count - 1].folder
        return Resolved(path: path, item: folder.map { .folder($0) })
    }

    /// The bytes of a small file, links followed; `nil` when there is none.
    func contents(of path: String, limit: Int) throws(BuildError) -> [UInt8]? {
        guard case .file(let file)? = try resolve(ImagePath(path)).item, file.node.kind == .file else { return nil }
        return try FileContent.read(file.host, limit: limit)
    }
}

extension Node {
    /// As a folder has to be while it is filled.
    var writable: Node {
        var copy = self
        copy.mode |= 0o700
        return copy
    }

    /// The root of an image that has nothing yet.
    static let emptyRoot = Node(directoryMode: 0o755)

    init(directoryMode mode: UInt32, uid: UInt32 = 0, gid: UInt32 = 0, modified: Timestamp = Timestamp(seconds: 0)) {
        self.init(kind: .directory, mode: mode, uid: uid, gid: gid, size: 0, modified: modified)
    }

    init(
        kind: Kind, mode: UInt32, uid: UInt32, gid: UInt32, size: Int64, modified: Timestamp, rdev: UInt64 = 0
    ) {
        self.kind = kind
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.size = size
        self.modified = modified
        self.rdev = rdev
        changed = modified
        inode = 0
        device = 0
        links = 1
    }
}
