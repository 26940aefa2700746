import Glibc

/// Makes an upper directory say only what changed, in one form, whoever wrote it: copies that equal what is below go
/// away, a replaced folder is told name by name, marks without effect vanish. So a step gives the same layer in every
/// isolation mode.
struct LayerNormalizer {
    private let lowers: LayeredRoot
    private var ownership: OwnershipMode { lowers.ownership }

    /// Files with several names of which some are new or changed: all of their names stay, or the link would be lost.
    /// Looked for when the first copy with several names is met, which is seldom.
    private var changedLinks: Set<FileIdentity>?
    private var upper: HostPath?

    init(over lowers: LayeredRoot) { self.lowers = lowers }

    func normalize(_ upper: HostPath) throws(BuildError) {
        var pass = self
        pass.upper = upper
        try pass.normalize(upper, below: try lowers.root(), isReplaced: false)
    }

    /// - Parameters:
    ///   - below: the folder that the layers below show at this place.
    ///   - isReplaced: nothing of `below` shows through, except what this layer holds itself.
    private mutating func normalize(
        _ directory: HostPath, below: LayeredRoot.Folder?, isReplaced: Bool
    ) throws(BuildError) {
        try FileCalls.unlocked(directory, ownership) { () throws(BuildError) in
            try normalizeContent(directory, below: below, isReplaced: isReplaced)
        }
    }

    private mutating func normalizeContent(
        _ directory: HostPath, below: LayeredRoot.Folder?, isReplaced: Bool
    ) throws(BuildError) {
        guard let own = try Node.read(directory, ownership) else { return }
        var isTouched = false
        let names = try FileCalls.names(in: directory)
        if isReplaced, let below {
            let present = Set(names)
            for name in try lowers.names(in: below) where !present.contains(name) {
                try FileCalls.makeWhiteout(directory.appending(name))
                isTouched = true
            }
        }
        for name in names {
            let host = directory.appending(name)
            guard let node = try Node.read(host, ownership) else { continue }
            var hidden: LayeredRoot.Item?
            if let below { hidden = try lowers.child(name, of: below) }
            if node.kind == .directory {
                var folder: LayeredRoot.Folder?
                if case .folder(let found)? = hidden { folder = found }
                let isOpaque = FileCalls.isOpaque(host)
                try normalize(host, below: folder, isReplaced: isReplaced || isOpaque)
                if isOpaque { try FileCalls.removeAttribute(host, FileCalls.opaqueAttribute) }
                if let folder, try isSame(host, node, folder) {
                    if host.withCString({ rmdir($0) }) == 0 {
                        isTouched = true
                    } else if errno != ENOTEMPTY && errno != EEXIST {
                        throw host.failure("remove the directory")
                    }
                }
            } else if try isSuperfluous(host, node, hidden) {
                try FileCalls.removeFile(host)
                isTouched = true
            }
        }
        if isTouched { try FileCalls.setModified(directory, own.modified) }
    }

    private mutating func isSuperfluous(
        _ host: HostPath, _ node: Node, _ hidden: LayeredRoot.Item?
    ) throws(BuildError) -> Bool {
        if node.isWhiteout { return hidden == nil }
        if node.kind == .socket { return true }
        guard case .file(let file)? = hidden else { return false }
        guard try isSame(host, node, file) else { return false }
        return node.links > 1 ? try !isChangedLink(node) : true
    }

    private mutating func isChangedLink(_ node: Node) throws(BuildError) -> Bool {
        if changedLinks == nil, let upper {
            var search = LinkSearch()
            try find(&search, in: upper, below: try lowers.root())
            changedLinks = search.changed
        }
        return changedLinks?.contains(FileIdentity(node)) ?? false
    }

    private struct LinkSearch {
        var changed: Set<FileIdentity> = []
        /// Which file below the names of a file stand for.
        var below: [FileIdentity: FileIdentity] = [:]
    }

    private func find(
        _ search: inout LinkSearch, in directory: HostPath, below: LayeredRoot.Folder?
    ) throws(BuildError) {
        for name in try FileCalls.names(in: directory) {
            let host = directory.appending(name)
            guard let node = try Node.read(host, ownership) else { continue }
            guard node.kind == .directory || node.links > 1 else { continue }
            var hidden: LayeredRoot.Item?
            if let below { hidden = try lowers.child(name, of: below) }
            if node.kind == .directory {
                var folder: LayeredRoot.Folder?
                if case .folder(let found)? = hidden { folder = found }
                try FileCalls.unlocked(host, ownership) { () throws(BuildError) in
                    try find(&search, in: host, below: folder)
                }
            } else if !node.isWhiteout {
                guard case .file(let file)? = hidden, try isSame(host, node, file) else {
                    search.changed.insert(FileIdentity(node))
                    continue
                }
                // Two files below became one.
                let known = search.below.updateValue(FileIdentity(file.node), forKey: FileIdentity(node))
                if let known, known != FileIdentity(file.node) { search.changed.insert(FileIdentity(node)) }
            }
        }
    }

    /// A folder's time does not count: it changes with what is made and removed in it.
    private func isSame(_ host: HostPath, _ node: Node, _ folder: LayeredRoot.Folder) throws(BuildError) -> Bool {
        guard node.mode == folder.node.mode, node.uid == folder.node.uid, node.gid == folder.node.gid,
            let below = folder.hosts.first
        else { return false }
        return try FileCalls.attributes(of: host) == FileCalls.attributes(of: below)
    }

    private func isSame(_ host: HostPath, _ node: Node, _ file: LayeredRoot.File) throws(BuildError) -> Bool {
        let old = file.node
        guard node.kind == old.kind, node.mode == old.mode, node.uid == old.uid, node.gid == old.gid,
            node.size == old.size, node.modified == old.modified, node.rdev == old.rdev
        else { return false }
        switch node.kind {
        case .symlink:
            return try FileCalls.target(ofLink: host) == FileCalls.target(ofLink: file.host)
        case .file:
            guard try FileCalls.attributes(of: host) == FileCalls.attributes(of: file.host) else { return false }
            return try FileContent.areEqual(host, file.host)
        default:
            return true
        }
    }
}
