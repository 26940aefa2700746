import Glibc
import Sandbox

/// The one root of isolation in place: an image's files over the root directory of a throw-away container.
struct InPlaceRoot {
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

extension BuildRun {
    /// Puts the stage's files into the root that there is only one of. The caller holds its lock.
    func occupy(_ place: InPlaceRoot, with root: LayeredRoot, stage: Int) async throws(BuildError) {
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
        await board.occupy((stage, root.layers.count))
    }

    /// How names are resolved here: the files go with the root.
    private func saveNames() throws(BuildError) {
        for name in ["hosts", "resolv.conf"] {
            let source = HostPath("/etc/\(name)")
            guard let text = try? FileContent.read(source, limit: 1 << 20) else { continue }
            let copy = scratch.path.appending("in-place-\(name)")
            if try Node.read(copy, .apply) != nil { continue }
            let file = try FileContent.create(copy)
            let outcome: Result<Void, BuildError> = text.withUnsafeBytes { buffer in
                Result { () throws(BuildError) in try FileContent.write(buffer, to: file.raw, copy) }
            }
            try outcome.get()
        }
    }

    /// Waits until no other step is in the root.
    func lockInPlaceRoot() throws(BuildError) -> Int32 {
        let path = HostPath(builder.store.path).appending("in-place.lock")
        guard let lock = FileLock.hold(path, blocking: true) else { throw path.failure("lock the file") }
        return lock
    }

    func savedNames(_ name: String) -> String { scratch.path.appending("in-place-\(name)").text }
}
