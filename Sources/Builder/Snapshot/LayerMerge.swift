/// Applies a directory in overlay format to a plain one: what the kernel would show, made real.
struct LayerMerge {
    private let writer: NodeWriter
    private let ownership: OwnershipMode

    init(ownership: OwnershipMode) {
        self.ownership = ownership
        writer = NodeWriter(ownership: ownership)
    }

    func apply(_ upper: HostPath, to target: HostPath) throws(BuildError) {
        var copy = TreeCopy(writer: writer)
        guard let node = try Node.read(upper, ownership) else { return }
        try apply(upper, to: target, &copy)
        try writer.apply(node, to: target)
    }

    private func apply(_ upper: HostPath, to target: HostPath, _ copy: inout TreeCopy) throws(BuildError) {
        for name in try FileCalls.names(in: upper) {
            let host = upper.appending(name)
            let place = target.appending(name)
            guard let node = try Node.read(host, ownership) else { continue }
            let present = try Node.read(place, ownership)
            let merges = node.kind == .directory && present?.kind == .directory && !FileCalls.isOpaque(host)
            if present != nil && !merges { try FileCalls.removeTree(place) }
            if node.isWhiteout { continue }
            if node.kind == .directory {
                if !merges { try writer.makeDirectory(place, node) }
                try writer.copyAttributes(host, to: place)
                try apply(host, to: place, &copy)
                try writer.apply(node, to: place)
            } else {
                try copy.copyFile(
                    LayeredRoot.File(path: .root, host: host, node: node), to: place, as: node)
            }
        }
    }
}
