import Archive
import OCI

extension BuildRun {
    /// Takes what `--ignore-path` names out of a new layer's directory. RUN steps of the stage still see it: it is kept
    /// beside, and mounted over the layers.
    func leaveOutIgnored(_ upper: HostPath) throws(BuildError) {
        var aside: HostPath?
        let writer = NodeWriter(ownership: builder.store.ownership)
        for path in request.ignoredPaths.map({ ImagePath($0) }) {
            guard let name = path.last, try isPresent(path, in: upper) else { continue }
            let target: HostPath
            if let aside { target = aside } else { target = try newDirectory() }
            aside = target
            var (from, to) = (upper, target)
            for folder in path.parent.components {
                from = from.appending(folder)
                to = to.appending(folder)
                if try Node.read(to, .apply) == nil, let node = try Node.read(from, builder.store.ownership) {
                    try writer.makeDirectory(to, node)
                }
            }
            let modified = try Node.read(from, builder.store.ownership)?.modified
            let place = to.appending(name)
            if try Node.read(place, .apply) != nil { try FileCalls.removeTree(place) }
            try FileCalls.move(from.appending(name), to: place)
            if let modified { try FileCalls.setModified(from, modified) }
        }
        if let aside { asides.append(aside) }
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

extension BuildRequest {
    /// What layers depend on beside the steps; empty for the usual.
    var layerVariant: [String] {
        (compression.keyText.map { [$0] } ?? [])
            + ignoredPaths.map { "without " + ImagePath($0).text }.sorted()
    }
}
