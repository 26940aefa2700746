import Glibc
import Synchronization

/// The control group of this process, where it may be divided further: that of a pod, or of a service with `Delegate=yes`.
///
/// A group that hands controllers on holds no processes itself, so this process moves into a group of its own below it.
package struct DelegatedControlGroup: Sendable {
    /// Why steps can have no groups of their own.
    package struct Refusal: Error, Equatable {
        package let reason: String
    }

    let path: String
    /// What is handed on to the groups below.
    let controllers: Set<String>

    /// Of this process. Nobody moves anywhere before this is asked for the first time.
    package static let own: Result<DelegatedControlGroup, Refusal> = Result {
        () throws(Refusal) -> DelegatedControlGroup in
        guard let place = ControlGroupPlace.own else {
            throw Refusal(reason: "the machine has no control groups of version 2")
        }
        return try DelegatedControlGroup(place.path)
    }

    private static let agent = "slipway-agent"
    private static let step = "slipway-step-"
    /// What steps are bounded by; memory has to be among them.
    private static let wanted = ["memory", "pids", "cpu"]

    /// Takes a group over.
    init(_ directory: String, wanted: [String] = Self.wanted) throws(Refusal) {
        // Started by a process that had moved there.
        path = directory.hasSuffix("/\(Self.agent)") ? String(directory.dropLast(Self.agent.count + 1)) : directory
        let known = KernelFile.words("\(path)/cgroup.controllers")
        guard let first = wanted.first, known.contains(first) else {
            throw Refusal(
                reason: "\(path) has no controller for \(wanted.first ?? "anything")"
                    + (known.isEmpty ? "" : ", only \(known.joined(separator: " "))"))
        }
        controllers = Set(wanted).intersection(known)
        guard access(path, W_OK) == 0, access("\(path)/cgroup.subtree_control", W_OK) == 0 else {
            throw Refusal(reason: "\(path) is not delegated to this process: it cannot be written to")
        }
        removeAbandoned()
        let missing = controllers.subtracting(KernelFile.words("\(path)/cgroup.subtree_control"))
        if missing.isEmpty { return }
        try moveProcesses()
        let words = missing.sorted().map { "+\($0)" }.joined(separator: " ")
        guard KernelFile.write(words, to: "\(path)/cgroup.subtree_control") else {
            throw Refusal(reason: "\(path) does not hand on \(words): \(String(cString: strerror(errno)))")
        }
    }

    /// Whoever else is there has not asked to be moved: a shell, another service.
    private func moveProcesses() throws(Refusal) {
        let processes = KernelFile.words("\(path)/cgroup.procs").compactMap(pid_t.init)
        if processes.isEmpty { return }
        guard processes.allSatisfy({ $0 == getpid() || $0 == 1 || Self.isChild($0) }) else {
            throw Refusal(reason: "other processes are in \(path)")
        }
        guard mkdir("\(path)/\(Self.agent)", 0o755) == 0 || errno == EEXIST else {
            throw Refusal(reason: "\(path) takes no group: \(String(cString: strerror(errno)))")
        }
        for process in processes where !KernelFile.write("\(process)", to: "\(path)/\(Self.agent)/cgroup.procs") {
            if errno == ESRCH { continue }
            throw Refusal(reason: "processes of \(path) cannot be moved: \(String(cString: strerror(errno)))")
        }
    }

    private static func isChild(_ process: pid_t) -> Bool {
        // The parent is the second field after the name, which is in brackets and may hold anything.
        guard let text = KernelFile.read("/proc/\(process)/stat"), let end = text.lastIndex(of: ")") else {
            return false
        }
        let fields = text[text.index(after: end)...].split(separator: " ")
        return fields.count > 1 && fields[1] == "\(getpid())"
    }

    /// Groups of steps whose agent was killed. Those with processes stay.
    private func removeAbandoned() {
        guard let folder = opendir(path) else { return }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasPrefix(Self.step) { rmdir("\(path)/\(name)") }
        }
    }

    // MARK: Steps

    private static let count = Atomic(0)

    /// A new group for one step.
    func makeStep(_ limits: StepLimits) throws(SandboxError) -> StepControlGroup {
        let number = Self.count.add(1, ordering: .relaxed).newValue
        let group = StepControlGroup(path: "\(path)/\(Self.step)\(getpid())-\(number)")
        guard mkdir(group.path, 0o755) == 0 else { throw SandboxError(.limits, errno, subject: group.path) }
        do throws(SandboxError) {
            try group.set(limits, controllers)
        } catch {
            group.remove()
            throw error
        }
        return group
    }
}
