import CSandbox
import Glibc

/// The directories around a step's root, made before it starts and removed after it.
struct SandboxLayout {
    /// Where the root is mounted.
    let root: String
    private let lowers: [String]
    private let upper: String
    private let work: String
    private let made: [String]
    private var standIns: StandIns?
    /// Copies of the machine's files, by the path in the root over which they are bound. A step may write to them; what it
    /// writes is nobody's but its own. The machine's files themselves are never bound.
    private var copies: [(path: String, target: String)] = []

    /// Mount points that every root has. They are the lowest layer of all: present when the image lacks them, and never
    /// part of what the step changed.
    private static let skeletonDirectories = ["proc", "sys", "dev", "etc"]
    private static let skeletonFiles = ["etc/resolv.conf", "etc/hosts"]

    init(_ step: SandboxStep) throws(SandboxError) {
        switch step.root {
        case .directory(let path):
            (root, lowers, upper, work, made) = (path, [], "", "", [])
            if step.mode != .namespaces {
                let standIns = try StandIns(root: path)
                self.standIns = standIns
                do throws(SandboxError) { try Self.place(step, standIns) } catch {
                    standIns.remove()
                    throw error
                }
            }
        case .overlay(let lowers, let upper, let work):
            // Beside `work`, not in it: overlayfs refuses layers that lie within each other.
            let mountPoint = work + ".root"
            let skeleton = work + ".skeleton"
            var made = [mountPoint, skeleton]
            made += Self.skeletonDirectories.map { "\(skeleton)/\($0)" }
            for path in made where mkdir(path, 0o755) != 0 && errno != EEXIST {
                throw SandboxError(.root, errno)
            }
            let files = work + ".files"
            guard mkdir(files, 0o755) == 0 || errno == EEXIST else { throw SandboxError(.root, errno) }
            made.append(files)
            for (source, target) in [(step.resolvConf, "/etc/resolv.conf"), (step.hosts, "/etc/hosts")] {
                guard let source, let text = IdentityMap.read(source) else { continue }
                let path = files + "/" + (target.split(separator: "/").last ?? "")
                try Self.write(text, to: path)
                made.append(path)
                copies.append((path, target))
            }
            for name in Self.skeletonFiles {
                let descriptor = open("\(skeleton)/\(name)", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
                guard descriptor >= 0 else { throw SandboxError(.root, errno) }
                close(descriptor)
                made.append("\(skeleton)/\(name)")
            }
            self.root = mountPoint
            self.lowers = lowers + [skeleton]
            self.upper = upper
            self.work = work
            self.made = made
        }
    }

    /// What a chroot has instead of mounts.
    private static func place(_ step: SandboxStep, _ standIns: StandIns) throws(SandboxError) {
        // In its own place a root's are the machine's.
        if step.mode == .chroot {
            for (name, mode) in [("/proc", 0o555), ("/sys", 0o555), ("/dev", 0o755), ("/dev/shm", 0o1777)]
                as [(String, mode_t)]
            {
                try standIns.makeDirectory(name, mode: mode)
            }
        }
        try standIns.makeDevices()
        for (source, target) in [(step.resolvConf, "/etc/resolv.conf"), (step.hosts, "/etc/hosts")] {
            if let source, let text = IdentityMap.read(source) { try standIns.write(text, to: target) }
        }
        for mount in step.mounts {
            switch mount.kind {
            case .bind(let source): try standIns.lend(source, at: mount.target)
            case .tmpfs(_, let mode): try standIns.makeDirectory(mount.target, mode: mode)
            case .content: try standIns.makeFile(mount.target)
            }
        }
    }

    private static func write(_ text: String, to path: String) throws(SandboxError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw SandboxError(.root, errno) }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else { throw SandboxError(.root, errno) }
    }

    func cleanUp() {
        standIns?.remove()
        for path in made.reversed() where unlink(path) != 0 { rmdir(path) }
    }

    /// Lends the step in C's form; everything in it lives in `strings` or until `body` returns.
    func withSandbox<Value>(
        _ step: SandboxStep, _ strings: CStrings, isProbe: Bool = false,
        _ body: (inout slipway_sandbox) throws(SandboxError) -> Value
    ) throws(SandboxError) -> Value {
        var sandbox = slipway_sandbox()
        sandbox.namespaces = step.mode == .namespaces ? 1 : 0
        if case .none = step.network { sandbox.own_network = 1 }
        sandbox.probe_only = isProbe ? 1 : 0
        sandbox.lowers = strings.add(lowers)
        sandbox.lower_count = Int32(lowers.count)
        sandbox.upper = strings.add(upper)
        sandbox.work = strings.add(work)
        sandbox.root = strings.add(root)
        sandbox.aside = strings.add(StandIns.aside(of: root))
        sandbox.hostname = step.hostname.map { strings.add($0) }
        sandbox.arguments = strings.add(step.arguments)
        sandbox.environment = strings.add(step.environment.map { "\($0.0)=\($0.1)" })
        sandbox.programs = strings.add(Self.programs(step))
        sandbox.directory = strings.add(step.workingDirectory)
        sandbox.uid = step.user.uid
        sandbox.gid = step.user.gid
        sandbox.process_limit = Int32(clamping: step.processLimit)
        sandbox.capabilities = step.capabilities
        sandbox.landlock_limit = step.kernel.landlock
        sandbox.may_ask = step.kernel.hasNotifications ? 1 : 0
        if let area = AgentMemory.arguments {
            sandbox.agent_arguments = UnsafeMutableRawPointer(bitPattern: area.lowerBound)
            sandbox.agent_arguments_size = area.count
        }

        let mounts =
            step.mountsByProcess
            + copies.map { SandboxStep.Mount(.bind(source: $0.path), target: $0.target, isOptional: true) }
        let table = mounts.map { mount in
            var entry = slipway_mount()
            entry.read_only = mount.isReadOnly ? 1 : 0
            entry.optional = mount.isOptional ? 1 : 0
            entry.target = strings.add(mount.target)
            switch mount.kind {
            case .bind(let source):
                entry.kind = Int32(SLIPWAY_MOUNT_BIND.rawValue)
                entry.source = strings.add(source)
            case .tmpfs(let size, let mode):
                entry.kind = Int32(SLIPWAY_MOUNT_TMPFS.rawValue)
                entry.options = strings.add("mode=\(String(mode, radix: 8))" + (size.map { ",size=\($0)" } ?? ""))
            case .content(let content):
                entry.kind = Int32(SLIPWAY_MOUNT_CONTENT.rawValue)
                entry.content = strings.add(content.bytes)
                entry.content_size = content.bytes.count
                entry.content_mode = content.mode
                entry.content_uid = content.uid
                entry.content_gid = content.gid
            }
            return entry
        }
        let outcome: Result<Value, SandboxError> = table.withUnsafeBufferPointer { mounts in
            step.user.groups.withUnsafeBufferPointer { groups in
                sandbox.mounts = mounts.baseAddress
                sandbox.mount_count = Int32(mounts.count)
                sandbox.groups = groups.baseAddress
                sandbox.group_count = Int32(groups.count)
                return Result { () throws(SandboxError) in try body(&sandbox) }
            }
        }
        return try outcome.get()
    }

    /// The files to try, as execvp(3) would: the name itself when it has a slash, else on each directory of PATH.
    private static func programs(_ step: SandboxStep) -> [String] {
        guard let name = step.arguments.first, !name.isEmpty else { return [] }
        if name.contains("/") { return [name] }
        let path =
            step.environment.last { $0.0 == "PATH" }?.1
            ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return path.split(separator: ":", omittingEmptySubsequences: false).map { directory in
            directory.isEmpty ? "./\(name)" : "\(directory)/\(name)"
        }
    }
}
