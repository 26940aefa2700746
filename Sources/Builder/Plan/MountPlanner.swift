import Dockerfile

/// Turns the mounts of one RUN into what the step is shown.
struct MountPlanner {
    let instruction: Instruction
    /// The stage's; mounts are relative to it.
    let workingDirectory: String
    /// What the build argument `BUILDKIT_CACHE_MOUNT_NS` puts before the ids of caches.
    let cachePrefix: String
    let origin: StagePlanner.OriginLookup

    func plan(_ mounts: [RunMount]) throws(BuildError) -> [StepMount] {
        var planned: [StepMount] = []
        var sshCount = 0
        for mount in mounts {
            planned.append(try plan(mount, sshCount: sshCount))
            if mount.kind == .ssh { sshCount += 1 }
        }
        return planned
    }

    /// - Parameter sshCount: the SSH mounts before it.
    private func plan(_ mount: RunMount, sshCount: Int) throws(BuildError) -> StepMount {
        switch mount.kind {
        case .tmpfs: return StepMount(kind: .tmpfs(size: mount.size), target: try target(of: mount))
        case .bind:
            let from: CopyOrigin =
                try mount.from.map { (name) throws(BuildError) in try origin(name, instruction) } ?? .context
            return StepMount(
                kind: .bind(from: from, source: mount.source, isReadOnly: mount.isReadOnly),
                target: try target(of: mount))
        case .cache:
            let seed = try mount.from.map { (name) throws(BuildError) in
                (from: try origin(name, instruction), source: mount.source)
            }
            let cache = CacheMount(
                id: cachePrefix + mount.cacheID, mode: mount.mode ?? 0o755, uid: mount.uid ?? 0, gid: mount.gid ?? 0,
                isReadOnly: mount.isReadOnly, isLocked: mount.sharing != .shared)
            return StepMount(kind: .cache(cache), seed: seed, target: try target(of: mount))
        case .secret:
            var resolved = mount
            resolved.target = mount.secretTarget ?? ""
            let secret = SecretMount(
                id: mount.secretID, variable: mount.environment, access: MountAccess(mount, mode: 0o400),
                isRequired: mount.isRequired)
            // It may be a variable only.
            let path = resolved.target.isEmpty ? "" : try target(of: resolved)
            return StepMount(kind: .secret(secret), target: path)
        case .ssh:
            var resolved = mount
            // As BuildKit counts them: by the step's SSH mounts.
            if mount.target.isEmpty { resolved.target = "/run/buildkit/ssh_agent.\(sshCount)" }
            let agent = SSHMount(
                id: mount.id ?? "default", access: MountAccess(mount, mode: 0o600), isRequired: mount.isRequired)
            return StepMount(kind: .ssh(agent), target: try target(of: resolved))
        }
    }

    private func target(of mount: RunMount) throws(BuildError) -> String {
        do throws(DockerfileError) { return try mount.target(in: workingDirectory) } catch {
            throw BuildError(instruction.locate(error))
        }
    }
}

extension MountAccess {
    /// - Parameter mode: where the mount has none.
    fileprivate init(_ mount: RunMount, mode: UInt32) {
        self.init(mode: mount.mode ?? mode, uid: mount.uid ?? 0, gid: mount.gid ?? 0)
    }
}
