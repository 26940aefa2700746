/// Writes a new upper directory over a stack: what COPY, ADD and WORKDIR do. Nothing is mounted.
///
/// A folder that is only passed through is copied up with the metadata of the layers below, as overlay does.
struct LayerEditor {
    let upper: HostPath
    /// The stack with the new directory on top.
    let view: LayeredRoot
    let writer: NodeWriter
    private let rootNode: Node
    /// The modes and times that folders get when everything in them is written.
    private var final: [HostPath: (mode: UInt32, modified: Timestamp)] = [:]
    /// The folders of `final` by the one that they are in; `nil` as long as nobody needs it.
    private var below: [HostPath: [HostPath]]?

    /// - Parameter upper: an existing empty directory.
    init(over lowers: LayeredRoot, upper: HostPath) throws(BuildError) {
        self.upper = upper
        writer = NodeWriter(ownership: lowers.ownership)
        rootNode = try lowers.root().node
        try writer.apply(rootNode.writable, to: upper)
        var view = lowers
        view.layers.append(upper)
        self.view = view
    }

    /// Writes into a directory that has files already, and keeps its metadata.
    init(over lowers: LayeredRoot, into directory: HostPath) throws(BuildError) {
        upper = directory
        writer = NodeWriter(ownership: lowers.ownership)
        rootNode = try Node.read(directory, lowers.ownership) ?? .emptyRoot
        if rootNode.mode != rootNode.writable.mode { try FileCalls.setMode(directory, rootNode.writable.mode) }
        var view = lowers
        view.layers.append(directory)
        self.view = view
    }

    /// Gives the folders their times.
    mutating func finish() throws(BuildError) {
        final[upper] = (rootNode.mode, rootNode.modified)
        // The deepest first: a folder's own mode may close the way to what is in it.
        for (host, state) in final.sorted(by: { $0.key.depth > $1.key.depth }) {
            try FileCalls.setMode(host, state.mode)
            try FileCalls.setModified(host, state.modified)
        }
        final = [:]
    }

    /// The folder at a path, present in the new layer; made when it does not exist, with those above it. `path` has no
    /// links (see `LayeredRoot.resolve`).
    ///
    /// - Parameter node: the metadata of folders that do not exist yet.
    mutating func ensureDirectory(_ path: ImagePath, new node: Node) throws(BuildError) -> LayeredRoot.Folder {
        var folder = try view.root()
        for name in path.components { folder = try ensureChild(name, of: folder, new: node) }
        return folder
    }

    /// One step of `ensureDirectory`: `folder` came from this editor.
    mutating func ensureChild(
        _ name: FileName, of folder: LayeredRoot.Folder, new node: Node
    ) throws(BuildError) -> LayeredRoot.Folder {
        try ensured(name, of: folder, new: node).folder
    }

    /// As `ensureChild`.
    ///
    /// - Returns: also whether nothing is in the folder, in no layer.
    mutating func ensured(
        _ name: FileName, of folder: LayeredRoot.Folder, new node: Node
    ) throws(BuildError) -> (folder: LayeredRoot.Folder, isEmpty: Bool) {
        let path = folder.path.appending(name)
        let host = upper.appending(path)
        switch try view.child(name, of: folder) {
        case .folder(let below):
            if below.hosts.first == host { return (below, false) }
            try clear(host)
            try writer.makeDirectory(host, below.node.writable)
            if let source = below.hosts.first { try writer.copyAttributes(source, to: host) }
            note(host, (below.node.mode, below.node.modified))
            return (LayeredRoot.Folder(path: path, hosts: [host] + below.hosts, node: below.node), false)
        case .file(let file):
            throw BuildError(
                .destination, "cannot copy to \(file.path.text): it is not a directory",
                cause: file.node.kind == .symlink ? "the base has a symbolic link there" : nil)
        case nil:
            let wasMark = try Node.read(host, .apply)?.isWhiteout == true
            try clear(host)
            try writer.makeDirectory(host, node.writable)
            // What the mark hid stays hidden.
            if wasMark { try FileCalls.setAttribute(host, FileCalls.opaqueAttribute, [0x79]) }
            note(host, (node.mode, node.modified))
            return (LayeredRoot.Folder(path: path, hosts: [host], node: node), true)
        }
    }

    /// Gives a folder of the new layer other metadata.
    mutating func set(_ folder: LayeredRoot.Folder, _ node: Node) throws(BuildError) {
        let host = upper.appending(folder.path)
        try writer.relabel(host, node.writable)
        note(host, (node.mode, node.modified))
    }

    /// Clears the way for a file: takes away what the new layer has there.
    ///
    /// - Parameter folder: came from this editor.
    /// - Returns: the place in the new layer, where nothing is.
    mutating func place(_ name: FileName, in folder: LayeredRoot.Folder) throws(BuildError) -> HostPath {
        if case .folder(let present)? = try view.child(name, of: folder) {
            throw BuildError(
                .destination, "cannot replace the directory \(present.path.text) by a file",
                hint: "end the destination with a / to copy into it")
        }
        let host = upper.appending(folder.path).appending(name)
        try clear(host)
        return host
    }

    /// As `place`, of a name that was never used in a folder that was empty.
    func unusedPlace(_ name: FileName, in folder: LayeredRoot.Folder) -> HostPath {
        upper.appending(folder.path).appending(name)
    }

    /// Takes away what is seen under a name, so that a folder can be made there.
    mutating func hide(_ name: FileName, in folder: LayeredRoot.Folder) throws(BuildError) {
        let host = upper.appending(folder.path).appending(name)
        try clear(host)
        if try view.child(name, of: folder) != nil { try FileCalls.makeWhiteout(host) }
    }

    /// As `hide`, also where a folder is: with everything below it.
    mutating func replace(_ name: FileName, in folder: LayeredRoot.Folder) throws(BuildError) {
        let host = upper.appending(folder.path).appending(name)
        if try Node.read(host, .apply)?.kind == .directory {
            try FileCalls.removeTree(host)
            forget(host)
        }
        try hide(name, in: folder)
    }

    private mutating func note(_ host: HostPath, _ state: (mode: UInt32, modified: Timestamp)) {
        if final.updateValue(state, forKey: host) == nil, below != nil { below?[host.parent, default: []].append(host) }
    }

    /// Forgets a folder and those in it, without a look at all the others.
    private mutating func forget(_ host: HostPath) {
        if below == nil { below = Dictionary(grouping: final.keys, by: \.parent) }
        var pending = [host]
        while let next = pending.popLast() {
            final[next] = nil
            pending += below?.removeValue(forKey: next) ?? []
        }
    }

    private func clear(_ host: HostPath) throws(BuildError) {
        if let present = try Node.read(host, .apply), present.kind != .directory { try FileCalls.removeFile(host) }
    }
}
