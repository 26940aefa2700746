import OCI

/// What `--ignore-path` names: it is in no layer.
struct IgnoredPaths {
    let paths: [ImagePath]
    let workspace: StageWorkspace

    /// Takes the paths out of a new layer's directory. RUN steps of the stage still see them: they are kept beside, and mounted over
    /// the layers.
    func leaveOut(of upper: HostPath) throws(BuildError) {
        var aside: HostPath?
        let ownership = workspace.ownership
        let writer = NodeWriter(ownership: ownership)
        for path in paths {
            guard let name = path.last, try isPresent(path, in: upper) else { continue }
            let target: HostPath
            if let aside { target = aside } else { target = try workspace.newDirectory() }
            aside = target
            var (from, to) = (upper, target)
            for folder in path.parent.components {
                from = from.appending(folder)
                to = to.appending(folder)
                if try Node.read(to, .apply) == nil, let node = try Node.read(from, ownership) {
                    try writer.makeDirectory(to, node)
                }
            }
            let modified = try Node.read(from, ownership)?.modified
            let place = to.appending(name)
            if try Node.read(place, .apply) != nil { try FileCalls.removeTree(place) }
            try FileCalls.move(from.appending(name), to: place)
            if let modified { try FileCalls.setModified(from, modified) }
        }
        if let aside { workspace.asides.append(aside) }
    }

    /// Whether a layer's directory has a path itself, no link on the way.
    private func isPresent(_ path: ImagePath, in upper: HostPath) throws(BuildError) -> Bool {
        var host = upper
        for folder in path.parent.components {
            host = host.appending(folder)
            guard try Node.read(host, .apply)?.kind == .directory else { return false }
        }
        guard let name = path.last else { return false }
        return try Node.read(host.appending(name), .apply) != nil
    }
}
