/// A mount of a RUN step, with all that its instruction leaves open filled in.
struct StepMount: Sendable {
    enum Kind: Sendable {
        case tmpfs(size: Int64?)
        case bind(from: CopyOrigin, source: String, isReadOnly: Bool)
        case cache(CacheMount)
        case ssh(SSHMount)
        case secret(SecretMount)
    }

    var kind: Kind
    /// What a new cache begins with: a folder of another file system.
    var seed: (from: CopyOrigin, source: String)?
    /// Absolute; empty for a secret that is only a variable.
    var target: String
}

/// A directory that outlives the step.
struct CacheMount: Sendable, Hashable {
    var id: String
    /// Of the directory, when it is new.
    var mode: UInt32
    var uid: UInt32
    var gid: UInt32
    var isReadOnly: Bool
    /// Whether one step at a time has it.
    var isLocked: Bool
}

/// A secret's file, or a variable with what is in it.
struct SecretMount: Sendable, Hashable {
    var id: String
    var variable: String?
    var access: MountAccess
    /// Whether the step fails without it.
    var isRequired: Bool
}

/// The socket of an SSH agent.
struct SSHMount: Sendable, Hashable {
    var id: String
    var access: MountAccess
    /// Whether the step fails without it.
    var isRequired: Bool
}

/// Whose a file is that a mount shows, and what they may do.
struct MountAccess: Sendable, Hashable {
    var mode: UInt32
    var uid: UInt32
    var gid: UInt32
}

extension StepMount.Kind {
    /// What stands for a mount without files in the keys of steps. Secrets count by their names, never by what they hold. The form is
    /// that of the first release: another one would make every image anew.
    var keyText: String {
        func text(_ access: MountAccess) -> String { "mode: \(access.mode), uid: \(access.uid), gid: \(access.gid)" }
        switch self {
        case .tmpfs(let size): return "tmpfs(size: \(String(describing: size)))"
        case .ssh(let agent):
            return "ssh(id: \(agent.id.debugDescription), \(text(agent.access)), isRequired: \(agent.isRequired))"
        case .secret(let secret):
            return "secret(id: \(secret.id.debugDescription), variable: \(String(describing: secret.variable)), "
                + "\(text(secret.access)), isRequired: \(secret.isRequired))"
        case .bind, .cache: return "\(self)"
        }
    }
}
