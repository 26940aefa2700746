import Sandbox

/// An overlay of the stage's layers in namespaces of the step's own. The kernel gathers what changes.
final class OverlayRoot: StepRoot {
    let mode = IsolationMode.namespaces
    private let workspace: StageWorkspace

    init(_ workspace: StageWorkspace) { self.workspace = workspace }

    func run(
        _ step: PreparedStep, by command: (SandboxStep) async throws(BuildError) -> Void
    ) async throws(BuildError) {
        var sandbox = step.sandbox
        var editor = try LayerEditor(over: step.root, upper: step.upper)
        try makeDirectory(sandbox.workingDirectory, with: &editor)
        let work = try workspace.newDirectory()
        var lowers = step.root.layers + workspace.asides
        if !step.times.files.isEmpty {
            let dated = try workspace.newDirectory()
            try step.times.write(to: dated, over: step.root)
            lowers.append(dated)
        }
        if let places = try makeMountPoints(for: &sandbox, on: step.root) { lowers.append(places) }
        if lowers.isEmpty { lowers = [try workspace.newDirectory()] }
        sandbox.root = .overlay(
            lowers: lowers.reversed().map(\.text), upper: step.upper.text, work: work.text)
        try await command(sandbox)
        try workspace.build.scratch.remove(work)
    }

    /// The image's working directory need not be in its file system.
    private func makeDirectory(_ path: String, with editor: inout LayerEditor) throws(BuildError) {
        let resolved = try editor.view.resolve(ImagePath(path))
        guard resolved.item == nil else { return }
        let new = Node(directoryMode: 0o755, modified: .now)
        _ = try editor.ensureDirectory(resolved.path, new: new)
        try editor.finish()
    }

    /// The places of a step's mounts that are not there yet: in a layer of their own that is seen by this step only, or in the directory
    /// that a mount before shows. Those in an empty one are the sandbox's to make.
    private func makeMountPoints(
        for sandbox: inout SandboxStep, on root: LayeredRoot
    ) throws(BuildError) -> HostPath? {
        var editor = try LayerEditor(over: root, upper: try workspace.newDirectory())
        var places = MountPlaces(on: editor.view, hasOwnDevices: true)
        let new = Node(directoryMode: 0o755, modified: .now)
        var isNeeded = false
        for index in sandbox.mounts.indices {
            let place = try places.add(&sandbox.mounts[index])
            guard place.item == nil else { continue }
            let isFile = try sandbox.mounts[index].isOfFile()
            if let inside = place.inside {
                let empty = LayeredRoot(layers: [], ownership: root.ownership)
                var within = try LayerEditor(over: empty, into: inside.source)
                try within.makePlace(inside.path, isFile: isFile, new)
                try within.finish()
            } else if place.isInRoot {
                try editor.makePlace(place.path, isFile: isFile, new)
                isNeeded = true
            }
        }
        // A link to nowhere, as systemd-resolved and OpenWrt have it; or a name that a layer took away.
        for path in ["/etc/resolv.conf", "/etc/hosts"] {
            guard let place = try? places.place(of: ImagePath(path)), place.isInRoot, place.item == nil else {
                continue
            }
            try editor.makePlace(place.path, isFile: true, new)
            isNeeded = true
        }
        guard isNeeded else { return nil }
        try editor.finish()
        return editor.upper
    }
}

extension LayerEditor {
    /// Makes an empty file or a directory where something is to be mounted.
    fileprivate mutating func makePlace(_ path: ImagePath, isFile: Bool, _ new: Node) throws(BuildError) {
        guard isFile, let name = path.last else {
            _ = try ensureDirectory(path, new: new)
            return
        }
        let folder = try ensureDirectory(path.parent, new: new)
        _ = try FileContent.create(try place(name, in: folder))
    }
}
