import Glibc

/// What a step may take of the machine, where it can have a control group of its own.
package struct StepLimits: Sendable, Hashable {
    /// Bytes of memory, the page cache of its files included; swap is not given.
    package var memory: Int64?

    package init(memory: Int64? = nil) { self.memory = memory }
}

/// The control group of one step and of all that it starts.
struct StepControlGroup {
    let path: String

    /// - Parameter controllers: those that the group above hands on.
    func set(_ limits: StepLimits, _ controllers: Set<String>) throws(SandboxError) {
        if controllers.contains("memory"), let memory = limits.memory {
            try write("\(memory)", to: "memory.max")
            // Half a step is of no use to anybody.
            try write("1", to: "memory.oom.group")
            // Not there where the kernel has no swap.
            _ = KernelFile.write("0", to: "\(path)/memory.swap.max")
        }
        // Threads are counted here, which the step's own limit of processes does not: a bound for these.
        if controllers.contains("pids") { try write("\(Self.mostThreads)", to: "pids.max") }
        // Half of what the agent gets, which has to answer meanwhile.
        if controllers.contains("cpu") { try write("50", to: "cpu.weight") }
    }

    private static let mostThreads = 32_768

    private func write(_ text: String, to name: String) throws(SandboxError) {
        guard KernelFile.write(text, to: "\(path)/\(name)") else {
            throw SandboxError(.limits, errno, subject: "\(path)/\(name)")
        }
    }

    /// Puts a process in, before it starts others.
    func add(_ process: pid_t) throws(SandboxError) { try write("\(process)", to: "cgroup.procs") }

    /// Whether the kernel ended processes of the group for want of memory.
    var wasOutOfMemory: Bool {
        Self.killed(events: KernelFile.read("\(path)/memory.events") ?? "") > 0
    }

    /// How many processes `memory.events` tells of.
    static func killed(events: String) -> Int {
        for line in events.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, words[0] == "oom_kill" { return Int(words[1]) ?? 0 }
        }
        return 0
    }

    /// Ends what is still there, and takes the group away. One that does not go is removed by the next process.
    func remove() {
        _ = KernelFile.write("1", to: "\(path)/cgroup.kill")
        let events = open("\(path)/cgroup.events", O_RDONLY | O_CLOEXEC)
        defer { if events >= 0 { close(events) } }
        for _ in 0..<Self.attempts {
            guard rmdir(path) != 0, errno == EBUSY else { return }
            // The kernel tells of the group's last process here. It is read, so that the next change is told.
            var polled = pollfd(fd: events, events: Int16(POLLPRI), revents: 0)
            poll(&polled, 1, Self.pause)
            var buffer = [UInt8](repeating: 0, count: 256)
            _ = pread(events, &buffer, buffer.count, 0)
        }
    }

    private static let attempts = 50
    /// In milliseconds.
    private static let pause: Int32 = 100
}
