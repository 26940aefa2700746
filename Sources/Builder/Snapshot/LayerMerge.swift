/// Applies a directory in overlay format to a plain one: what the kernel would show, made real.
struct LayerMerge {
    private let writer: NodeWriter
    private let ownership: OwnershipMode
    private let kept: KeptPaths

    init(ownership: OwnershipMode, kept: KeptPaths = .none) {
        self.ownership = ownership
        self.kept = kept
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
            guard let node = try Node.read(host, ownership), !kept.contains(place) else { continue }
            let present = try Node.read(place, ownership)
            let stays = kept.isAbove(place) && present?.kind == .directory
            var merges = node.kind == .directory && present?.kind == .directory && !FileCalls.isOpaque(host)
            if present != nil && !merges {
                try kept.clear(place)
                merges = stays
            }
            if node.isWhiteout || stays && node.kind != .directory { continue }
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
