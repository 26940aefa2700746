import CSandbox
import Glibc

/// The process of one step, from its start to its end, on one thread that may block. The thread matters: the kernel kills the
/// child when the thread that made it ends.
struct SandboxProcess {
    private let step: SandboxStep
    private let stop: StopSignal
    /// Everything but the program.
    private let isProbe: Bool

    init(_ step: SandboxStep, stop: StopSignal, isProbe: Bool = false) {
        self.step = step
        self.stop = stop
        self.isProbe = isProbe
    }

    func run(_ output: (OutputStream, [UInt8]) -> Void) throws(SandboxError) -> SandboxResult {
        try validate()
        let out = try Pipe()
        let err = try Pipe()
        let reports = try Pipe()
        let go = try Pipe()
        let strings = CStrings()
        let layout = try SandboxLayout(step)
        let group = try step.limits.map { (limits) throws(SandboxError) in try limits.group.makeStep(limits.most) }
        defer { group?.remove() }
        let isRootless = step.mode == .namespaces && step.hasOneIdentity
        let emulation =
            step.mode != .namespaces
            ? SLIPWAY_EMULATE_NOTHING : isRootless ? SLIPWAY_EMULATE_ROOT : SLIPWAY_EMULATE_NODES

        let pid = try layout.withSandbox(step, strings, isProbe: isProbe) { (sandbox) throws(SandboxError) -> pid_t in
            sandbox.emulate = Int32(emulation.rawValue)
            sandbox.output = out.writeEnd
            sandbox.error = err.writeEnd
            sandbox.report = reports.writeEnd
            sandbox.go = go.readEnd
            let pid = slipway_sandbox_start(&sandbox)
            guard pid > 0 else { throw SandboxError(.clone, errno) }
            return pid
        }
        out.closeWriteEnd()
        err.closeWriteEnd()
        reports.closeWriteEnd()

        let descriptor = slipway_pidfd_open(pid)
        var isReleased = false
        defer {
            stop.watch(nil)
            // Nobody of it heeds a word before it is let go.
            kill(pid, isReleased ? endSignal : SIGKILL)
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
            if descriptor >= 0 { close(descriptor) }
            layout.cleanUp()
        }
        if step.mode == .namespaces {
            try IdentityMap.write(for: pid, isRootless: isRootless)
        }
        // It has started nobody yet.
        try group?.add(pid)
        stop.watch(descriptor >= 0 ? (descriptor, endSignal) : nil)
        var byte: UInt8 = 1
        _ = write(go.writeEnd, &byte, 1)
        isReleased = true
        // Not before: a step may be over by now, and a pipe that nobody reads would end this process.
        go.closeReadEnd()
        let result = try supervise(pid, out, err, reports, output)
        guard group?.wasOutOfMemory == true, result.exit != .exited(0) else { return result }
        return SandboxResult(exit: .outOfMemory, isOutputTruncated: result.isOutputTruncated)
    }

    private func validate() throws(SandboxError) {
        for text in step.arguments + step.environment.flatMap({ [$0.0, $0.1] }) where text.utf8.contains(0) {
            throw SandboxError(.exec, EINVAL, subject: "a text with a NUL byte in it")
        }
    }

    /// The one who answers ends the first process of a pid namespace, which takes all others with it, and waits for them. A
    /// chroot's monitor has to live to kill them.
    private let endSignal = SIGTERM

    // MARK: Until it ends

    /// Reads output and the report until both are over, the time is, or it is told to stop.
    private func supervise(
        _ pid: pid_t, _ out: Pipe, _ err: Pipe, _ reports: Pipe, _ output: (OutputStream, [UInt8]) -> Void
    ) throws(SandboxError) -> SandboxResult {
        let deadline = step.timeout.map { ContinuousClock.now + $0 }
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        var passed = 0
        var isTruncated = false
        var isTimedOut = false
        var isStorageFull = false
        var report: slipway_report?
        var open: [(Pipe, OutputStream?)] = [(out, .stdout), (err, .stderr), (reports, nil)]
        while !open.isEmpty {
            var polled = open.map { pollfd(fd: $0.0.readEnd, events: Int16(POLLIN), revents: 0) }
            var wait: Int32 = -1
            if let deadline, !isTimedOut {
                let left = deadline - ContinuousClock.now
                wait = Int32(
                    clamping: left.components.seconds * 1_000 + left.components.attoseconds / 1_000_000_000_000_000 + 1)
                if left <= .zero { wait = 0 }
            }
            if let storage = step.storage, !isStorageFull, !isTimedOut {
                if Self.room(at: storage.path) < storage.reserve {
                    isStorageFull = true
                    kill(pid, endSignal)
                } else {
                    wait = wait < 0 ? Self.storagePause : min(wait, Self.storagePause)
                }
            }
            let count = poll(&polled, nfds_t(polled.count), wait)
            if count < 0 {
                if errno == EINTR { continue }
                throw SandboxError(.supervision, errno)
            }
            if count == 0 {
                guard let deadline, !isTimedOut, deadline <= .now else { continue }
                isTimedOut = true
                kill(pid, endSignal)
                continue
            }
            for index in polled.indices.reversed() where polled[index].revents != 0 {
                let (pipe, stream) = open[index]
                let got = read(pipe.readEnd, &buffer, buffer.count)
                if got < 0 && (errno == EINTR || errno == EAGAIN) { continue }
                if got <= 0 {
                    open.remove(at: index)
                    continue
                }
                guard let stream else {
                    report = report ?? Self.report(buffer[..<got])
                    continue
                }
                let room = max(0, step.outputLimit - passed)
                if got > room { isTruncated = true }
                if room > 0 { output(stream, Array(buffer[..<min(got, room)])) }
                passed += min(got, room)
            }
        }
        if isTimedOut { return SandboxResult(exit: .timedOut, isOutputTruncated: isTruncated) }
        if isStorageFull { return SandboxResult(exit: .storageFull, isOutputTruncated: isTruncated) }
        if stop.isSent { throw SandboxError(.supervision, ECANCELED) }
        guard let report else {
            // The first process was killed before it could say anything.
            return SandboxResult(exit: .signaled(SIGKILL), isOutputTruncated: isTruncated)
        }
        if report.stage == Int32(SLIPWAY_STAGE_PROCESSES.rawValue) {
            return SandboxResult(exit: .tooManyProcesses, isOutputTruncated: isTruncated)
        }
        if report.stage != 0 { throw error(report) }
        let status = report.number
        let exit: SandboxResult.Exit = status & 0x7f == 0 ? .exited(status >> 8 & 0xff) : .signaled(status & 0x7f)
        return SandboxResult(exit: exit, isOutputTruncated: isTruncated)
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

    private static func report(_ bytes: ArraySlice<UInt8>) -> slipway_report? {
        guard bytes.count >= MemoryLayout<slipway_report>.size else { return nil }
        return bytes.withUnsafeBytes { $0.loadUnaligned(as: slipway_report.self) }
    }

    private func error(_ report: slipway_report) -> SandboxError {
        let stage = SandboxError.Stage(rawValue: report.stage) ?? .supervision
        let subject: String?
        switch stage {
        case .exec: subject = step.arguments.first
        case .directory: subject = step.workingDirectory
        case .mount:
            let index = Int(report.index)
            let mounts = step.mountsByProcess
            subject = mounts.indices.contains(index) ? mounts[index].target : nil
        default: subject = nil
        }
        return SandboxError(stage, report.number, subject: subject)
    }
}

/// Two ends that close when their owner goes.
final class Pipe {
    private(set) var readEnd: Int32 = -1
    private(set) var writeEnd: Int32 = -1

    init() throws(SandboxError) {
        var ends: [Int32] = [-1, -1]
        guard slipway_pipe(&ends) == 0 else { throw SandboxError(.streams, errno) }
        readEnd = ends[0]
        writeEnd = ends[1]
    }

    func closeReadEnd() {
        if readEnd >= 0 { close(readEnd) }
        readEnd = -1
    }

    func closeWriteEnd() {
        if writeEnd >= 0 { close(writeEnd) }
        writeEnd = -1
    }

    deinit {
        closeReadEnd()
        closeWriteEnd()
    }
}
