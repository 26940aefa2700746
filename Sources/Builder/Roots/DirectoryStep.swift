import Sandbox

/// Runs a step in a directory that is all of its root, and gathers what it changed: by walking the directory before and after.
struct DirectoryStep {
    let root: HostPath
    let ownership: OwnershipMode
    /// What is neither looked at nor in the layer.
    var kept = KeptPaths.none

    func run(
        _ step: PreparedStep, by command: (SandboxStep) async throws(BuildError) -> Void
    ) async throws(BuildError) {
        var sandbox = step.sandbox
        let view = LayeredRoot(layers: [root], ownership: ownership)
        let shown = try step.times.apply(in: view)
        let before = try WalkSnapshot(of: root, ownership, kept: kept)
        try makeDirectory(sandbox.workingDirectory, in: view)
        var places = MountPlaces(on: view, hasOwnDevices: sandbox.mode == .chroot)
        for index in sandbox.mounts.indices { _ = try places.add(&sandbox.mounts[index]) }
        try await command(sandbox)
        try before.writeChanges(to: step.upper)
        try shown.restore()
    }

    /// The image's working directory need not be in its file system.
    private func makeDirectory(_ path: String, in view: LayeredRoot) throws(BuildError) {
        let resolved = try view.resolve(ImagePath(path))
        guard resolved.item == nil else { return }
        let writer = NodeWriter(ownership: ownership)
        var here = root
        for name in resolved.path.components {
            let above = here
            here = here.appending(name)
            guard try Node.read(here, .apply) == nil, let parent = try Node.read(above, ownership) else { continue }
            try writer.makeDirectory(here, Node(directoryMode: 0o755, modified: .now))
            try FileCalls.setModified(above, parent.modified)
        }
    }
}
