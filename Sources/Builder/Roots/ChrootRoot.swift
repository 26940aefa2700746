import Sandbox

/// A copy of the stage's file system in one directory, which stays for the stage's next step.
final class ChrootRoot: StepRoot {
    let mode = IsolationMode.chroot
    private let workspace: StageWorkspace
    /// The copy, and how many of the stage's layers are in it.
    private var merged: (directory: HostPath, count: Int)?

    init(_ workspace: StageWorkspace) { self.workspace = workspace }

    func run(
        _ step: PreparedStep, by command: (SandboxStep) async throws(BuildError) -> Void
    ) async throws(BuildError) {
        let directory = try merge(step.root)
        var step = step
        step.sandbox.root = .directory(directory.text)
        // The new layer is laid over the directory all the same, before the next step: it leaves out what may not be in an image.
        try await DirectoryStep(root: directory, ownership: workspace.ownership).run(step, by: command)
    }

    func end() throws(BuildError) {
        if let merged { try workspace.build.scratch.remove(merged.directory) }
    }

    /// The directory, brought up to date with the layers that came since.
    private func merge(_ root: LayeredRoot) throws(BuildError) -> HostPath {
        if let merged {
            for upper in root.layers[merged.count...] {
                try LayerMerge(ownership: root.ownership).apply(upper, to: merged.directory)
            }
            self.merged = (merged.directory, root.layers.count)
            return merged.directory
        }
        let directory = try workspace.newDirectory()
        var copy = TreeCopy(writer: NodeWriter(ownership: root.ownership))
        try copy.materialise(root, at: directory)
        merged = (directory, root.layers.count)
        return directory
    }
}
