import Glibc
import OCI
import Sandbox

/// What `RUN --mount` holds while the step runs.
struct HeldMounts {
    fileprivate var locks: [Int32] = []

    func release() { for lock in locks { close(lock) } }
}

extension BuildRun {
    /// Makes ready what a step's mounts show, and adds them to the step.
    func prepare(_ step: RunStep, _ mode: IsolationMode, _ sandbox: inout SandboxStep) async throws(BuildError)
        -> HeldMounts
    {
        var held = HeldMounts()
        if let script = step.script {
            guard mode == .namespaces else { throw Self.needsNamespaces("a heredoc with a #! line", mode) }
            let file = try newDirectory().appending(script.name)
            try write(
                script.body, to: file,
                Node(kind: .file, mode: 0o755, uid: 0, gid: 0, size: 0, modified: .init(seconds: 0)))
            sandbox.mounts.append(
                SandboxStep.Mount(.bind(source: file.text), target: "/dev/pipes/\(script.name)", isReadOnly: true))
        }
        do throws(BuildError) {
            for mount in step.mounts {
                if case .secret(let id, let variable?, _, _, _, _) = mount.kind, let value = request.secrets[id] {
                    sandbox.environment.append((variable, String(decoding: value, as: UTF8.self)))
                }
                guard !mount.target.isEmpty else { continue }
                guard mode == .namespaces else { throw Self.needsNamespaces("RUN --mount", mode) }
                if let made = try await prepare(mount, &held) { sandbox.mounts.append(made) }
            }
        } catch {
            held.release()
            throw error
        }
        return held
    }

    private static func needsNamespaces(_ what: String, _ mode: IsolationMode) -> BuildError {
        BuildError(
            .unsupported, "\(what) is not supported with isolation by \(mode.rawValue)",
            cause: "nothing can be mounted there", hint: "run where user namespaces are allowed")
    }

    private func prepare(_ mount: StepMount, _ held: inout HeldMounts) async throws(BuildError) -> SandboxStep.Mount? {
        switch mount.kind {
        case .tmpfs(let size):
            return SandboxStep.Mount(.tmpfs(size: size, mode: 0o755), target: mount.target)
        case .secret(let id, _, let mode, let uid, let gid, let isRequired):
            guard let value = request.secrets[id] else {
                guard isRequired else { return nil }
                throw BuildError(
                    .step, "the secret '\(id)' is required and was not given",
                    hint: "give it with --secret id=\(id),src=FILE")
            }
            let file = try newDirectory().appending("secret")
            try write(
                value, to: file, Node(kind: .file, mode: mode, uid: uid, gid: gid, size: 0, modified: .init(seconds: 0))
            )
            return SandboxStep.Mount(.bind(source: file.text), target: mount.target, isReadOnly: true)
        case .cache(let id, let mode, let uid, let gid, let isReadOnly, let isLocked):
            let name = String(Digest.sha256(of: Array(id.utf8)).encoded.prefix(32))
            let folder = HostPath(builder.store.cachesFolder)
            if isLocked {
                let lockPath = folder.appending(name + ".lock")
                guard let lock = FileLock.hold(lockPath, blocking: true) else {
                    throw lockPath.failure("lock the file")
                }
                held.locks.append(lock)
            }
            let directory = folder.appending(name)
            // Another stage, or another build, may want the same one at this moment.
            let makingPath = folder.appending(name + ".making")
            guard let making = FileLock.hold(makingPath, blocking: true) else {
                throw makingPath.failure("lock the file")
            }
            defer { close(making) }
            if try Node.read(directory, .apply) == nil {
                try NodeWriter(ownership: builder.store.ownership).makeDirectory(
                    directory, Node(directoryMode: mode, uid: uid, gid: gid))
            }
            return SandboxStep.Mount(.bind(source: directory.text), target: mount.target, isReadOnly: isReadOnly)
        case .bind(let origin, let source, let isReadOnly):
            let copy = try await materialise(source, of: origin)
            return SandboxStep.Mount(.bind(source: copy.text), target: mount.target, isReadOnly: isReadOnly)
        }
    }

    /// A copy of a file or folder of another file system: what is written to it is forgotten with the build.
    private func materialise(_ path: String, of origin: CopyOrigin) async throws(BuildError) -> HostPath {
        let empty = LayeredRoot(layers: [], ownership: builder.store.ownership)
        let name = ImagePath(path).last ?? FileName("root")
        let target = CopyOptions(
            destination: ImagePath(components: [name]), isDirectory: false, createdAt: request.createdAt)
        var editor = try LayerEditor(over: empty, upper: try newDirectory())
        switch origin {
        case .context:
            var engine = CopyEngine(try await contexts.main(), into: editor, options: target)
            try await engine.copyAll(path)
            editor = engine.editor
        case .stage(let index):
            let source = LayeredSource(try await root(ofStage: index), displayName: "stage \(index)")
            var engine = CopyEngine(source, into: editor, options: target)
            try await engine.copyAll(path)
            editor = engine.editor
        case .named(let key):
            switch plan.sources[key] {
            case .image(let base):
                let tree = LayeredRoot(layers: try await directories(of: base), ownership: builder.store.ownership)
                var engine = CopyEngine(LayeredSource(tree, displayName: key), into: editor, options: target)
                try await engine.copyAll(path)
                editor = engine.editor
            case .context:
                var engine = CopyEngine(try await contexts.named(key), into: editor, options: target)
                try await engine.copyAll(path)
                editor = engine.editor
            case nil:
                throw BuildError(.dockerfile, "there is no stage, context or image '\(key)'")
            }
        }
        try editor.finish()
        return editor.upper.appending(name)
    }

    private func write(_ bytes: [UInt8], to file: HostPath, _ node: Node) throws(BuildError) {
        let descriptor = try FileContent.create(file)
        let outcome: Result<Void, BuildError> = bytes.withUnsafeBytes { buffer in
            Result { () throws(BuildError) in try FileContent.write(buffer, to: descriptor.raw, file) }
        }
        try outcome.get()
        try NodeWriter(ownership: builder.store.ownership).apply(node, to: file)
    }
}
