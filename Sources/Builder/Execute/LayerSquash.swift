/// Puts directories in overlay format over each other into one, which says the same to what is below all of them.
struct LayerSquash {
    private let base: LayeredRoot
    private let writer: NodeWriter
    private var copy: TreeCopy

    init(base: LayeredRoot) {
        self.base = base
        writer = NodeWriter(ownership: base.ownership)
        copy = TreeCopy(writer: writer)
    }

    /// - Parameter layers: the lowest first.
    func merge(_ layers: some Sequence<HostPath>, into target: HostPath) throws(BuildError) {
        for layer in layers {
            // Links between files hold within a layer only.
            var merge = LayerSquash(base: base)
            try merge.apply(layer, to: target)
        }
    }

    private mutating func apply(_ layer: HostPath, to target: HostPath) throws(BuildError) {
        guard let node = try Node.read(layer, base.ownership) else { return }
        try apply(layer, to: target, base.layers.isEmpty ? nil : try base.root())
        try writer.apply(node, to: target)
    }

    /// - Parameter below: what the base shows there; `nil` for nothing, or for what is hidden.
    private mutating func apply(
        _ layer: HostPath, to target: HostPath, _ below: LayeredRoot.Folder?
    ) throws(BuildError) {
        let closed = try FileCalls.unlock(layer, base.ownership)
        defer { if let closed { try? FileCalls.setMode(layer, closed) } }
        for name in try FileCalls.names(in: layer) {
            let host = layer.appending(name)
            let place = target.appending(name)
            guard let node = try Node.read(host, base.ownership) else { continue }
            let present = try Node.read(place, base.ownership)
            var hidden: LayeredRoot.Item?
            if let below { hidden = try base.child(name, of: below) }
            let isOpaque = node.kind == .directory && FileCalls.isOpaque(host)
            let merges = node.kind == .directory && present?.kind == .directory && !isOpaque
            if let present, !merges {
                if present.kind == .directory {
                    try FileCalls.removeTree(place)
                } else {
                    try FileCalls.removeFile(place)
                }
            }
            if node.isWhiteout {
                if hidden != nil { try FileCalls.makeWhiteout(place) }
                continue
            }
            guard node.kind == .directory else {
                try copy.copyFile(LayeredRoot.File(path: .root, host: host, node: node), to: place, as: node)
                continue
            }
            if !merges {
                try writer.makeDirectory(place, node.writable)
                // What the base has there was hidden by this layer, or by one below it.
                if hidden != nil, isOpaque || present != nil {
                    try FileCalls.setAttribute(place, FileCalls.opaqueAttribute, Array("y".utf8))
                }
            }
            try writer.copyAttributes(host, to: place)
            var folder: LayeredRoot.Folder?
            if case .folder(let shown)? = hidden, !FileCalls.isOpaque(place) { folder = shown }
            try apply(host, to: place, folder)
            try writer.apply(node, to: place)
        }
    }
}
