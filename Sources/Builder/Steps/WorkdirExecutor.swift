import OCI

/// WORKDIR: makes the directory with all above it, where it is missing.
struct WorkdirExecutor: StepExecutor {
    let path: String
    /// Whose it becomes; empty for root.
    let user: String
    let step: PlannedStep
    let roots: StageRoots

    func makeLayer(on layers: StageLayers) async throws(BuildError) -> HostPath {
        let workspace = roots.workspace
        let root = try await roots.names(of: layers, looksUpNames: UserLookup.looksUp(user))
        var editor = try LayerEditor(over: root, upper: try workspace.newDirectory())
        let resolved = try root.resolve(ImagePath(path))
        switch resolved.item {
        case .folder: break
        case .file(let file):
            throw BuildError(.destination, "the working directory \(file.path.text) is a file")
        case nil:
            // As BuildKit does it: who a directory belongs to follows the rules of `--chown`, not those of a step's user.
            let owner: (uid: UInt32, gid: UInt32) =
                user.isEmpty ? (0, 0) : try workspace.owner(user, in: root, of: step)
            let node = Node(directoryMode: 0o755, uid: owner.uid, gid: owner.gid, modified: .now)
            _ = try editor.ensureDirectory(resolved.path, new: node)
        }
        try editor.finish()
        return editor.upper
    }
}
