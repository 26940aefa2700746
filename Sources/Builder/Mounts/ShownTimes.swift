import OCI

/// Files that a step is shown with later times than they have: see `CacheViews`.
struct ShownTimes {
    var files: [(path: ImagePath, time: Timestamp)] = []

    /// For an overlay: copies of the files, in a layer that this step alone is shown.
    ///
    /// - Parameter upper: an empty directory, which becomes that layer.
    func write(to upper: HostPath, over root: LayeredRoot) throws(BuildError) {
        var editor = try LayerEditor(over: root, upper: upper)
        var copy = TreeCopy(writer: editor.writer)
        let new = Node(directoryMode: 0o755, modified: .now)
        for (path, time) in files {
            guard let name = path.last, case .file(let file)? = try root.resolve(path, followingLast: false).item else {
                continue
            }
            let folder = try editor.ensureDirectory(path.parent, new: new)
            var node = file.node
            node.modified = time
            try copy.copyFile(file, to: editor.unusedPlace(name, in: folder), as: node)
        }
        try editor.finish()
    }

    /// For a root that is a directory: the files themselves, until they are given their own times back.
    func apply(in root: LayeredRoot) throws(BuildError) -> Applied {
        var applied = Applied()
        for (path, time) in files {
            guard case .file(let file)? = try root.resolve(path, followingLast: false).item else { continue }
            applied.changed.append((file.host, file.node.modified, time))
            try FileCalls.setModified(file.host, time)
        }
        return applied
    }

    struct Applied {
        fileprivate var changed: [(host: HostPath, own: Timestamp, shown: Timestamp)] = []

        /// Gives the files their own times back, as far as the step left them alone.
        func restore() throws(BuildError) {
            for (host, own, shown) in changed {
                guard let node = try Node.read(host, .apply), node.modified == shown else { continue }
                try FileCalls.setModified(host, own)
            }
        }
    }
}
