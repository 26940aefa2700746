import OCI
import Sandbox

/// Shows a step that uses caches its files with times on the safe side of what lies there: see `CacheViews`.
struct CacheDates {
    let caches: CacheMounts
    let progress: @Sendable (BuildEvent) -> Void

    /// - Parameters:
    ///   - sandbox: its bind mounts hold files of the step as well, which are dated in their place.
    ///   - root: has a directory for each of the layers.
    ///   - held: keeps what the step was shown, for those that use its caches after it.
    /// - Returns: what files of the root are to be shown with.
    func shownTimes(
        for step: RunStep, in sandbox: SandboxStep, on layers: StageLayers, at root: LayeredRoot,
        _ held: inout HeldMounts
    ) throws(BuildError) -> ShownTimes {
        let names = step.cacheNames
        guard !names.isEmpty else { return ShownTimes() }
        var view = SourceView()
        for directory in root.layers.dropFirst(layers.baseCount) { try view.add(layer: directory, root.ownership) }
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
        try outdo(names, with: &view, on: layers, at: root, &held)
        return try dateMounts(mounted, by: view)
    }

    /// Dates the view's files so that nothing in the caches is newer than what it was not made from.
    private func outdo(
        _ names: [String], with view: inout SourceView, on layers: StageLayers, at root: LayeredRoot,
        _ held: inout HeldMounts
    ) throws(BuildError) {
        let now = Timestamp.now.nanosecondsSince1970
        var notes: [CacheViews] = []
        defer { for note in notes { note.end() } }
        let base = layers.baseChain.map { "\($0)" } ?? "scratch"
        var foreign: [String] = []
        for name in names {
            notes.append(try caches.views(name))
            if try !notes[notes.count - 1].outdo(with: &view, on: base, in: root, now: now) { foreign.append(name) }
        }
        if !foreign.isEmpty {
            let age = try CacheAge(under: Array(root.layers.prefix(layers.baseCount)), &view, now: now)
            for name in foreign where try !age.dateBack(caches.directory(name), root.ownership) {
                try FileCalls.removeChildren(of: caches.directory(name))
                progress(
                    .note(
                        "a cache of this step was emptied: it was filled on another base image, and files of this one are dated by 1970"
                    ))
            }
        }
        for note in notes { held.notes.append(try note.begin(view, on: base)) }
    }

    /// Gives what is mounted its dates, and tells those of what is below.
    private func dateMounts(
        _ mounted: [(path: ImagePath, host: HostPath)], by view: SourceView
    ) throws(BuildError) -> ShownTimes {
        var below = ShownTimes()
        for (path, time) in view.redated {
            // What is mounted hides what is below.
            guard let mount = mounted.last(where: { path.components.starts(with: $0.path.components) }) else {
                below.files.append((path, time))
                continue
            }
            let inside = ImagePath(components: Array(path.components.dropFirst(mount.path.components.count)))
            try FileCalls.setModified(mount.host.appending(inside), time)
        }
        return below
    }
}

extension RunStep {
    /// The caches that it uses, in one order for all steps: two of them never wait for each other.
    fileprivate var cacheNames: [String] {
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
