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
            kill(pid, isReleased ? StepSupervisor.endSignal : SIGKILL)
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
        stop.watch(descriptor >= 0 ? (descriptor, StepSupervisor.endSignal) : nil)
        var byte: UInt8 = 1
        _ = write(go.writeEnd, &byte, 1)
        isReleased = true
        // Not before: a step may be over by now, and a pipe that nobody reads would end this process.
        go.closeReadEnd()
        var watch = StepSupervisor(step, pid: pid, out: out, err: err, reports: reports)
        try watch.run(output)
        let result = try result(of: watch)
        guard group?.wasOutOfMemory == true, result.exit != .exited(0) else { return result }
        return SandboxResult(exit: .outOfMemory, isOutputTruncated: result.isOutputTruncated)
    }

    private func validate() throws(SandboxError) {
        for text in step.arguments + step.environment.flatMap({ [$0.0, $0.1] }) where text.utf8.contains(0) {
            throw SandboxError(.exec, EINVAL, subject: "a text with a NUL byte in it")
        }
    }

    /// How it ended, by what was seen of it.
    private func result(of watch: StepSupervisor) throws(SandboxError) -> SandboxResult {
        func result(_ exit: SandboxResult.Exit) -> SandboxResult {
            SandboxResult(exit: exit, isOutputTruncated: watch.isOutputTruncated)
        }
        if let ending = watch.ending { return result(ending) }
        if stop.isSent { throw SandboxError(.supervision, ECANCELED) }
        // The first process was killed before it could say anything.
        guard let report = watch.report else { return result(.signaled(SIGKILL)) }
        if report.stage == Int32(SLIPWAY_STAGE_PROCESSES.rawValue) { return result(.tooManyProcesses) }
        if report.stage != 0 { throw error(report) }
        let status = report.number
        return result(status & 0x7f == 0 ? .exited(status >> 8 & 0xff) : .signaled(status & 0x7f))
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
