import Glibc
import Sandbox

/// The root directory of a throw-away container itself: an image's files are put over it. All stages of all builds share it.
final class InPlaceRoot: StepRoot {
    let mode = IsolationMode.inPlace
    private let workspace: StageWorkspace

    init(_ workspace: StageWorkspace) { self.workspace = workspace }

    private var build: BuildEnvironment { workspace.build }

    func run(
        _ step: PreparedStep, by command: (SandboxStep) async throws(BuildError) -> Void
    ) async throws(BuildError) {
        let lock = try lockRoot()
        defer { close(lock) }
        let (root, kept) = build.builder.inPlace
        let place = OccupiedDirectory(root, kept: kept + [build.store.path])
        try await occupy(place, with: step.root)
        var step = step
        step.sandbox.root = .directory(place.path)
        step.sandbox.hosts = savedNames("hosts").text
        step.sandbox.resolvConf = savedNames("resolv.conf").text
        // Whatever a step that fails leaves there belongs to no stage.
        await build.board.occupy(nil)
        try await DirectoryStep(root: place.host, ownership: workspace.ownership, kept: place.kept)
            .run(step, by: command)
        await build.board.occupy((workspace.stage.index, step.root.layers.count))
    }

    /// Puts the stage's files into the root that there is only one of. The caller holds its lock.
    private func occupy(_ place: OccupiedDirectory, with root: LayeredRoot) async throws(BuildError) {
        let (board, stage) = (build.board, workspace.stage.index)
        let occupant = await board.occupant
        if let occupant, occupant.stage == stage, occupant.layers <= root.layers.count {
            for upper in root.layers[occupant.layers...] {
                try LayerMerge(ownership: root.ownership, kept: place.kept).apply(upper, to: place.host)
            }
        } else {
            if occupant == nil { try saveNames() }
            await board.occupy(nil)
            try place.kept.clearChildren(of: place.host)
            var copy = TreeCopy(writer: NodeWriter(ownership: root.ownership), kept: place.kept)
            try copy.materialise(root, at: place.host)
        }
    }

    /// How names are resolved here: the files go with the root.
    private func saveNames() throws(BuildError) {
        for name in ["hosts", "resolv.conf"] {
            let source = HostPath("/etc/\(name)")
            guard let text = try? FileContent.read(source, limit: 1 << 20) else { continue }
            let copy = savedNames(name)
            if try Node.read(copy, .apply) != nil { continue }
            try FileContent.create(copy, with: text)
        }
    }

    private func savedNames(_ name: String) -> HostPath { build.scratch.path.appending("in-place-\(name)") }

    /// Waits until no other step is in the root.
    private func lockRoot() throws(BuildError) -> Int32 {
        let path = HostPath(build.store.path).appending("in-place.lock")
        guard let lock = FileLock.hold(path, blocking: true) else { throw path.failure("lock the file") }
        return lock
    }
}

/// The directory that isolation in place fills, and what in it stays.
private struct OccupiedDirectory {
    let path: String
    let host: HostPath
    let kept: KeptPaths

    init(_ path: String, kept: [String]) {
        self.path = path
        // "/." rather than "/": names are put behind a slash of their own.
        host = HostPath(path == "/" ? "/." : path)
        let prefix = path == "/" ? "" : path
        let always = ["proc", "sys", "dev", ".slipway-aside", String(ThrowAwayRoot.mark.dropFirst())]
        self.kept = KeptPaths(
            in: host, of: path,
            always.map { "\(prefix)/\($0)" } + ThrowAwayRoot.mountPoints(below: path)
                + kept.flatMap { [$0, Self.real($0)] })
    }

    /// Where a path leads, links followed.
    private static func real(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}
