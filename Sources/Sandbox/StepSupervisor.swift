import CSandbox
import Glibc

/// Reads a step's output and its report until both are over. Ends the step when its time is, or when the disk is full.
struct StepSupervisor {
    private let step: SandboxStep
    /// The first process of the step.
    private let pid: pid_t
    private let deadline: ContinuousClock.Instant?
    /// Where something may still come from; `nil` for the report.
    private var unread: [(pipe: Pipe, stream: OutputStream?)]
    private var passed = 0
    private(set) var isOutputTruncated = false
    /// Why the step was ended; `nil`: it was not.
    private(set) var ending: SandboxResult.Exit?
    /// What the first process says at its end; `nil`: it could not.
    private(set) var report: slipway_report?

    /// The one who answers ends the first process of a pid namespace, which takes all others with it, and waits for them. A
    /// chroot's monitor has to live to kill them.
    static let endSignal = SIGTERM

    init(_ step: SandboxStep, pid: pid_t, out: Pipe, err: Pipe, reports: Pipe) {
        self.step = step
        self.pid = pid
        deadline = step.timeout.map { ContinuousClock.now + $0 }
        unread = [(out, .stdout), (err, .stderr), (reports, nil)]
    }

    mutating func run(_ output: (OutputStream, [UInt8]) -> Void) throws(SandboxError) {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while !unread.isEmpty {
            let wait = endIfDue()
            var polled = unread.map { pollfd(fd: $0.pipe.readEnd, events: Int16(POLLIN), revents: 0) }
            let count = poll(&polled, nfds_t(polled.count), wait)
            guard count >= 0 || errno == EINTR else { throw SandboxError(.supervision, errno) }
            guard count > 0 else { continue }
            for index in polled.indices.reversed() where polled[index].revents != 0 {
                read(index, &buffer, output)
            }
        }
    }

    // MARK: Reading

    private mutating func read(_ index: Int, _ buffer: inout [UInt8], _ output: (OutputStream, [UInt8]) -> Void) {
        let got = Glibc.read(unread[index].pipe.readEnd, &buffer, buffer.count)
        if got < 0 && (errno == EINTR || errno == EAGAIN) { return }
        guard got > 0 else {
            unread.remove(at: index)
            return
        }
        guard let stream = unread[index].stream else {
            if report == nil { report = Self.report(buffer[..<got]) }
            return
        }
        let room = max(0, step.outputLimit - passed)
        if got > room { isOutputTruncated = true }
        if room > 0 { output(stream, Array(buffer[..<min(got, room)])) }
        passed += min(got, room)
    }

    private static func report(_ bytes: ArraySlice<UInt8>) -> slipway_report? {
        guard bytes.count >= MemoryLayout<slipway_report>.size else { return nil }
        return bytes.withUnsafeBytes { $0.loadUnaligned(as: slipway_report.self) }
    }

    // MARK: Limits

    /// Ends the step when its time is over, however much it prints, or when it left too little of the disk.
    ///
    /// - Returns: milliseconds until that has to be looked at again; -1: never.
    private mutating func endIfDue() -> Int32 {
        guard ending == nil else { return -1 }
        var wait: Int32 = -1
        if let deadline {
            let left = deadline - ContinuousClock.now
            guard left > .zero else { return end(.timedOut) }
            wait = Int32(
                clamping: left.components.seconds * 1_000 + left.components.attoseconds / 1_000_000_000_000_000 + 1)
        }
        if let storage = step.storage {
            guard Self.room(at: storage.path) >= storage.reserve else { return end(.storageFull) }
            wait = wait < 0 ? Self.storagePause : min(wait, Self.storagePause)
        }
        return wait
    }

    private mutating func end(_ reason: SandboxResult.Exit) -> Int32 {
        ending = reason
        kill(pid, Self.endSignal)
        return -1
    }

    /// Milliseconds between two looks at the room that is left.
    private static let storagePause: Int32 = 250

    /// Bytes that are left on a file system; when it does not say, there is room.
    private static func room(at path: String) -> Int64 {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return .max }
        let (bytes, overflow) = Int64(clamping: status.f_bavail).multipliedReportingOverflow(
            by: Int64(clamping: status.f_frsize))
        return overflow ? .max : bytes
    }
}
