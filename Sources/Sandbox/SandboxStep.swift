import Glibc

/// How a step is kept apart from the machine, strongest first.
package enum IsolationMode: String, Sendable, Codable, CaseIterable {
    /// User, mount, pid, ipc and uts namespaces around an overlay.
    case namespaces
    /// A chroot with a container's default capabilities, for root without the right to make namespaces.
    case chroot
    /// The root of a throw-away pod itself.
    case inPlace = "in-place"
}

/// One step to run: a program, its root file system, and what it may see.
package struct SandboxStep: Sendable {
    package enum Root: Sendable {
        /// Directories in overlayfs' format, topmost first; what the step changes goes to `upper`. `work` is an empty
        /// directory on the same file system.
        case overlay(lowers: [String], upper: String, work: String)
        case directory(String)
    }

    package enum Network: Sendable {
        /// The machine's own.
        case host
        /// Only a loopback device. In a chroot it cannot be had, and is refused.
        case none
    }

    package struct Mount: Sendable {
        package enum Kind: Sendable {
            case bind(source: String)
            /// `size` in bytes; `nil` takes the kernel's default.
            case tmpfs(size: Int64?, mode: UInt32)
            /// A file that nobody writes to a disk, where that can be had.
            case content(FileContent)
        }

        /// A file's bytes, mode and owner.
        package struct FileContent: Sendable {
            let bytes: [UInt8]
            let mode: UInt32
            let uid: UInt32
            let gid: UInt32

            package init(_ bytes: [UInt8], mode: UInt32, uid: UInt32, gid: UInt32) {
                self.bytes = bytes
                self.mode = mode
                self.uid = uid
                self.gid = gid
            }
        }

        package var kind: Kind
        /// In the root; it must be there.
        package var target: String
        package var isReadOnly: Bool
        /// Passed over when the root does not have the target.
        package var isOptional: Bool

        package init(_ kind: Kind, target: String, isReadOnly: Bool = false, isOptional: Bool = false) {
            self.kind = kind
            self.target = target
            self.isReadOnly = isReadOnly
            self.isOptional = isOptional
        }
    }

    package var mode: IsolationMode
    package var root: Root = .directory("")
    /// The program and its arguments; a name without a slash is searched for on the environment's PATH.
    package var arguments: [String]
    /// All of the step's environment.
    package var environment: [(String, String)] = []
    package var workingDirectory = "/"
    package var user: (uid: UInt32, gid: UInt32, groups: [UInt32]) = (0, 0, [])
    /// Whether only the caller's own ids are mapped into the user namespace: always so without root. The step is root all the
    /// same, and whoever else it likes: what it does about other ids is written down with the files (`OwnershipRecord`).
    package var hasOneIdentity = geteuid() != 0
    package var mounts: [Mount] = []
    package var network = Network.host
    package var hostname: String?
    /// Files of the machine that are bound over the root's own; `nil` leaves them.
    package var resolvConf: String? = "/etc/resolv.conf"
    package var hosts: String? = "/etc/hosts"
    package var timeout: Duration?
    /// Bytes of output that are passed on; what comes after is read and dropped.
    package var outputLimit = 64 << 20
    /// Processes that the step may have at a time. Threads are not counted.
    package var processLimit = 4096
    /// What the step may take beside that, held by a control group of its own; `nil` for none.
    package var limits: (group: DelegatedControlGroup, most: StepLimits)?
    /// The step is ended when less room is left on the file system of `path`.
    package var storage: (path: String, reserve: Int64)?

    /// What the kernel is taken to have at most: tests see to what holds on older ones.
    var kernel = KernelLimit()

    struct KernelLimit {
        /// The version of Landlock's interface; 0: none.
        var landlock = Int32.max
        /// Whether a filter may ask a process about a call.
        var hasNotifications = true
    }

    package init(mode: IsolationMode, arguments: [String]) {
        self.mode = mode
        self.arguments = arguments
    }

    /// What Docker gives a container: chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap,
    /// net_bind_service, net_raw, sys_chroot, mknod, audit_write, setfcap.
    static let defaultCapabilities: UInt64 = 0xa804_25fb

    /// What the sandbox's first process mounts, or puts into files. In a chroot the rest is there already.
    var mountsByProcess: [Mount] {
        mounts.filter { mount in
            if case .content = mount.kind { return true }
            return mode == .namespaces
        }
    }

    /// What the step's root keeps: of a container's capabilities those that mean the step's own namespaces, not the agent's.
    var capabilities: UInt64 {
        var kept = Self.defaultCapabilities
        guard mode != .namespaces else { return kept }
        // In a bare chroot the right to make another one is the way out of it. And a step that has less than the agent may not
        // trace the agent either, where the agent itself has only a container's capabilities.
        kept &= ~Capability.changeRoot
        // The kernel's audit log is the node's.
        kept &= ~Capability.writeAuditLog
        // Whoever has it reads all that the agent sends and receives: its passwords too, at a registry of plain HTTP.
        if case .host = network { kept &= ~Capability.rawSockets }
        return kept
    }

    /// Bits of capabilities(7). That for ports below 1024 (`CAP_NET_BIND_SERVICE`) stays: `nginx -t` opens the ports that it is to
    /// check, and what listens there already cannot be taken.
    private enum Capability {
        static let rawSockets: UInt64 = 1 << 13
        static let changeRoot: UInt64 = 1 << 18
        static let writeAuditLog: UInt64 = 1 << 29
    }
}

package enum OutputStream: Sendable, Hashable { case stdout, stderr }

package struct SandboxResult: Sendable, Hashable {
    package enum Exit: Sendable, Hashable {
        case exited(Int32)
        case signaled(Int32)
        case timedOut
        /// There were more than `processLimit`.
        case tooManyProcesses
        /// It took all the memory of its `limits`.
        case outOfMemory
        /// Less than the reserve was left.
        case storageFull
    }

    package let exit: Exit
    /// Whether more output came than `outputLimit`.
    package let isOutputTruncated: Bool
}
