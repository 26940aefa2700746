import OCI
import Sandbox

/// Files of a root that a step is shown with later times than they have.
struct RedatedFiles {
    fileprivate var changed: [(host: HostPath, own: Timestamp, shown: Timestamp)] = []

    /// Gives the files in a root that stays their own times back, as far as the step left them alone.
    func restore() throws(BuildError) {
        for (host, own, shown) in changed {
            guard let node = try Node.read(host, .apply), node.modified == shown else { continue }
            try FileCalls.setModified(host, own)
        }
    }
}

extension BuildRun {
    /// Shows a step that uses caches its files with times on the safe side of what lies there: see `CacheViews`.
    ///
    /// - Parameters:
    ///   - files: the stage's layers; `root` has a directory for each.
    ///   - sandbox: its bind mounts hold files of the step as well, which are dated in their place.
    func dateSources(
        of step: RunStep, _ sandbox: SandboxStep, on files: StageFiles, _ root: LayeredRoot, _ held: inout HeldMounts
    ) throws(BuildError) -> [(path: ImagePath, time: Timestamp)] {
        let names = step.cacheNames
        guard !names.isEmpty else { return [] }
        var view = SourceView()
        for (layer, directory) in zip(files.layers, root.layers) {
            if case .base = layer.origin { continue }
            try view.add(layer: directory, root.ownership)
        }
        var mounted: [(path: ImagePath, host: HostPath)] = []
        for (mount, shown) in sandbox.binds(of: step) {
            guard let node = try Node.read(mount, .apply) else { continue }
            let path = try root.resolve(ImagePath(shown)).path
            mounted.append((path, mount))
            if node.kind == .directory {
                try view.add(mount, at: path, isLayer: false, root.ownership)
            } else {
                try view.add(file: mount, node, at: path)
            }
        }
        // From here on the clock is later than all that was written.
        Timestamp.now.waitUntilPast()
        let now = Timestamp.now.nanosecondsSince1970
        var notes: [CacheViews] = []
        defer { for note in notes { note.end() } }
        let base = files.baseChain.map { "\($0)" } ?? "scratch"
        var foreign: [String] = []
        for name in names {
            notes.append(try caches.views(name))
            if try !notes[notes.count - 1].outdo(with: &view, on: base, in: root, now: now) { foreign.append(name) }
        }
        if !foreign.isEmpty {
            let layers = zip(files.layers, root.layers).filter { if case .base = $0.0.origin { true } else { false } }
            let age = try CacheAge(under: layers.map(\.1), &view, now: now)
            for name in foreign where try !age.dateBack(caches.directory(name), root.ownership) {
                try FileCalls.removeChildren(of: caches.directory(name))
                progress(
                    .note(
                        "a cache of this step was emptied: it was filled on another base image, and files of this one are dated by 1970"
                    ))
            }
        }
        for note in notes { held.notes.append(try note.begin(view, on: base)) }
        var below: [(path: ImagePath, time: Timestamp)] = []
        for (path, time) in view.redated {
            // What is mounted hides what is below.
            guard let mount = mounted.last(where: { path.components.starts(with: $0.path.components) }) else {
                below.append((path, time))
                continue
            }
            let inside = ImagePath(components: Array(path.components.dropFirst(mount.path.components.count)))
            try FileCalls.setModified(mount.host.appending(inside), time)
        }
        return below
    }

    /// For an overlay: copies of the files, in a layer that this step alone is shown.
    func layer(of redated: [(path: ImagePath, time: Timestamp)], on root: LayeredRoot) throws(BuildError) -> HostPath? {
        guard !redated.isEmpty else { return nil }
        var editor = try LayerEditor(over: root, upper: try newDirectory())
        var copy = TreeCopy(writer: editor.writer)
        let new = Node(directoryMode: 0o755, modified: .now)
        for (path, time) in redated {
            guard let name = path.last, case .file(let file)? = try root.resolve(path, followingLast: false).item else {
                continue
            }
            let folder = try editor.ensureDirectory(path.parent, new: new)
            var node = file.node
            node.modified = time
            try copy.copyFile(file, to: editor.unusedPlace(name, in: folder), as: node)
        }
        try editor.finish()
        return editor.upper
    }

    /// For a root that is a directory: the files themselves.
    func redate(
        _ redated: [(path: ImagePath, time: Timestamp)], in root: HostPath, _ ownership: OwnershipMode
    ) throws(BuildError) -> RedatedFiles {
        var files = RedatedFiles()
        let view = LayeredRoot(layers: [root], ownership: ownership)
        for (path, time) in redated {
            guard case .file(let file)? = try view.resolve(path, followingLast: false).item else { continue }
            files.changed.append((file.host, file.node.modified, time))
            try FileCalls.setModified(file.host, time)
        }
        return files
    }
}

extension RunStep {
    /// The caches that it uses, in one order for all steps: two of them never wait for each other.
    var cacheNames: [String] {
        var names: Set<String> = []
        for mount in mounts {
            if case .cache(let cache) = mount.kind { names.insert(CacheMounts.name(of: cache, seed: mount.seed)) }
        }
        return names.sorted()
    }
}

extension SandboxStep {
    /// The directories and files that bind mounts of the instruction show.
    fileprivate func binds(of step: RunStep) -> [(host: HostPath, target: String)] {
        let targets = Set(step.mounts.compactMap { if case .bind = $0.kind { $0.target } else { nil } })
        return mounts.compactMap { mount in
            guard case .bind(let source) = mount.kind, targets.contains(mount.target) else { return nil }
            return (HostPath(source), mount.target)
        }
    }
}
