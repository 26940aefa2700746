import Glibc
import OCI
import Sandbox

/// What `RUN --mount` holds while the step runs.
struct HeldMounts {
    fileprivate var locks: [Int32] = []
    fileprivate var agents: [AgentForward] = []
    /// What the step was shown, for those that use its caches after it.
    var notes: [CacheNote] = []

    func release() {
        for note in notes { note.finish() }
        for lock in locks { close(lock) }
    }
}

/// Makes ready what a step's mounts show.
struct StepMounts {
    let roots: StageRoots
    let mode: IsolationMode

    private var workspace: StageWorkspace { roots.workspace }
    private var request: BuildRequest { workspace.build.request }

    /// Adds the mounts to the step.
    func prepare(_ step: RunStep, for sandbox: inout SandboxStep) async throws(BuildError) -> HeldMounts {
        var held = HeldMounts()
        if let script = step.script { sandbox.mounts.append(try mount(script)) }
        do throws(BuildError) {
            try lockCaches(of: step, &held)
            for mount in step.mounts {
                if case .secret(let secret) = mount.kind, let variable = secret.variable,
                    let value = request.secrets[secret.id]
                {
                    sandbox.environment.append((variable, String(decoding: value, as: UTF8.self)))
                }
                guard !mount.target.isEmpty else { continue }
                guard let made = try await prepare(mount, &held) else { continue }
                sandbox.mounts.append(made)
                if case .ssh = mount.kind, !sandbox.environment.contains(where: { $0.0 == "SSH_AUTH_SOCK" }) {
                    sandbox.environment.append(("SSH_AUTH_SOCK", mount.target))
                }
            }
        } catch {
            held.release()
            throw error
        }
        return held
    }

    private func prepare(
        _ mount: StepMount, _ held: inout HeldMounts
    ) async throws(BuildError) -> SandboxStep.Mount? {
        switch mount.kind {
        case .tmpfs(let size):
            return SandboxStep.Mount(.tmpfs(size: size, mode: 0o755), target: mount.target)
        case .secret(let secret):
            guard let content = try content(of: secret) else { return nil }
            return SandboxStep.Mount(.content(content), target: mount.target, isReadOnly: true)
        case .cache(let cache):
            let directory = try await directory(of: cache, seed: mount.seed)
            return SandboxStep.Mount(.bind(source: directory.text), target: mount.target, isReadOnly: cache.isReadOnly)
        case .ssh(let agent):
            guard let socket = try socket(of: agent, &held) else { return nil }
            return SandboxStep.Mount(.bind(source: socket.text), target: mount.target)
        case .bind(let origin, let source, let isReadOnly):
            let copy = try await materialise(source, of: origin)
            return SandboxStep.Mount(.bind(source: copy.text), target: mount.target, isReadOnly: isReadOnly)
        }
    }

    private func mount(_ script: (name: String, body: [UInt8])) throws(BuildError) -> SandboxStep.Mount {
        let file = try workspace.newDirectory().appending(script.name)
        try FileContent.create(file, with: script.body)
        let node = Node(kind: .file, mode: 0o755, uid: 0, gid: 0, size: 0, modified: Timestamp(seconds: 0))
        try NodeWriter(ownership: workspace.ownership).apply(node, to: file)
        return SandboxStep.Mount(.bind(source: file.text), target: "/dev/pipes/\(script.name)", isReadOnly: true)
    }

    // MARK: Secrets and agents

    /// - Returns: `nil` for one that was not given, and need not be.
    private func content(of secret: SecretMount) throws(BuildError) -> SandboxStep.Mount.FileContent? {
        guard let value = request.secrets[secret.id] else {
            guard secret.isRequired else { return nil }
            throw BuildError(
                .step, "the secret '\(secret.id)' is required and was not given",
                hint: "give it with --secret id=\(secret.id),src=FILE")
        }
        let access = secret.access
        return SandboxStep.Mount.FileContent(value, mode: access.mode, uid: access.uid, gid: access.gid)
    }

    /// - Returns: `nil` for one that was not given, and need not be.
    private func socket(of agent: SSHMount, _ held: inout HeldMounts) throws(BuildError) -> HostPath? {
        guard let source = request.sshAgents[agent.id] else {
            guard agent.isRequired else { return nil }
            throw BuildError(
                .step, "the SSH agent '\(agent.id)' is required and was not given",
                hint: "give it with --ssh \(agent.id), or with a key: --ssh \(agent.id)=FILE")
        }
        let folder = try workspace.newDirectory()
        let socket = folder.appending("socket")
        held.agents.append(try AgentForward(source, at: socket, scratch: folder))
        let access = agent.access
        if workspace.ownership == .apply, socket.withCString({ lchown($0, access.uid, access.gid) }) != 0 {
            throw socket.failure("give the socket away")
        }
        try FileCalls.setMode(socket, access.mode)
        return socket
    }

    // MARK: Caches

    /// Waits for the caches that a step wants for itself, in one order for all steps: two of them never wait for each other.
    private func lockCaches(of step: RunStep, _ held: inout HeldMounts) throws(BuildError) {
        var names: Set<String> = []
        for mount in step.mounts {
            guard case .cache(let cache) = mount.kind else { continue }
            let name = CacheMounts.name(of: cache, seed: mount.seed)
            // Where nothing can be mounted, the cache itself moves into the root: one step at a time can have it, once.
            guard cache.isLocked || mode != .namespaces else { continue }
            if !names.insert(name).inserted, mode != .namespaces {
                throw BuildError(
                    .unsupported,
                    "the cache '\(cache.id)' is mounted twice, which isolation by \(mode.rawValue) cannot do",
                    cause: "nothing can be mounted there; the cache is moved to its target",
                    hint: "mount it once, or build where user namespaces are allowed")
            }
        }
        for name in names.sorted() { held.locks.append(try workspace.build.caches.lock(name, for: .use)) }
    }

    /// A cache's directory, made now if nobody made it before.
    private func directory(
        of cache: CacheMount, seed: (from: CopyOrigin, source: String)?
    ) async throws(BuildError) -> HostPath {
        let caches = workspace.build.caches
        let name = CacheMounts.name(of: cache, seed: seed)
        let directory = caches.directory(name)
        let making = try caches.lock(name, for: .making)
        defer { close(making) }
        guard try Node.read(directory, .apply) == nil else { return directory }
        let node = Node(directoryMode: cache.mode, uid: cache.uid, gid: cache.gid)
        let writer = NodeWriter(ownership: workspace.ownership)
        if let seed {
            let copy = try await materialise(seed.source, of: seed.from)
            try writer.apply(node, to: copy)
            try FileCalls.move(copy, to: directory)
        } else {
            try writer.makeDirectory(directory, node)
        }
        return directory
    }

    // MARK: Files

    /// A copy of a file or folder of another file system: what is written to it is forgotten with the build.
    private func materialise(_ path: String, of origin: CopyOrigin) async throws(BuildError) -> HostPath {
        let name = ImagePath(path).last ?? FileName("root")
        let editor = try LayerEditor(over: workspace.emptyRoot, upper: try workspace.newDirectory())
        let place = CopyOptions(destination: ImagePath(components: [name]), isDirectory: false)
        var done = try await copyAll(path, of: roots.source(of: origin), into: editor, place)
        try done.finish()
        return done.upper.appending(name)
    }

    private func copyAll<Source: CopySource>(
        _ path: String, of source: Source, into editor: LayerEditor, _ place: CopyOptions
    ) async throws(BuildError) -> LayerEditor {
        var engine = CopyEngine(source, into: editor, options: place)
        try await engine.copyAll(path)
        return engine.editor
    }

}
