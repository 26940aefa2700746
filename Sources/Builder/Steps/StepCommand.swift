import ContentStore
import Glibc
import Sandbox

/// The command of a RUN step: passes on what it prints, and says why it failed.
struct StepCommand {
    let step: RunStep
    let request: BuildRequest
    let disk: StepDisk
    let progress: @Sendable (BuildEvent) -> Void

    func run(_ sandbox: SandboxStep) async throws(BuildError) {
        let tail = OutputTail()
        let progress = progress
        let result: SandboxResult
        do throws(SandboxError) {
            result = try await Sandbox.run(sandbox) { stream, bytes in
                tail.append(bytes)
                progress(.stepOutput(stream == .stderr ? .stderr : .stdout, bytes))
            }
        } catch {
            let isCancelled = error.stage == .supervision && error.number == ECANCELED
            var failure = BuildError(isCancelled ? .cancelled : .step, "the step could not be run", from: error)
            failure.isTransient = Self.shortages.contains(error.number)
            throw failure
        }
        if result.isOutputTruncated {
            progress(.note("the step printed more than \(request.stepOutputLimit) bytes; the rest is not shown"))
        }
        if let failure = failure(of: result.exit, output: tail.text, in: sandbox.mode) { throw failure }
    }

    /// What the machine may have again a moment later: memory, processes, files, room on the disk.
    private static let shortages: Set<Int32> = [ENOMEM, EAGAIN, EMFILE, ENFILE, ENOSPC, EDQUOT, EIO]

    private func failure(of exit: SandboxResult.Exit, output: String, in mode: IsolationMode) -> BuildError? {
        guard exit != .exited(0) else { return nil }
        var (what, hint) = explanation(of: exit, output: output, in: mode)
        var cause = commandLine
        if !output.isEmpty { cause += "\n" + output.split(separator: "\n").map { "  | \($0)" }.joined(separator: "\n") }
        // A command may notice the full disk before we do.
        let shortage: DiskShortage? = exit == .storageFull ? .bytes : disk.shortage(afterOutput: output)
        if exit != .storageFull, let shortage { hint = shortage.hint(for: "the state directory") }
        var failure = BuildError(.step, what, cause: cause, hint: hint, isTransient: shortage != nil)
        failure.lacksSpace = shortage != nil
        return failure
    }

    private func explanation(
        of exit: SandboxResult.Exit, output: String, in mode: IsolationMode
    ) -> (what: String, hint: String?) {
        switch exit {
        case .exited(let code):
            (
                "the command failed with exit code \(code)",
                StepAdvice.hint(forExitCode: code, step: step, output: output, mode: mode)
            )
        case .signaled(let signal):
            (
                "the command was killed by signal \(signal)",
                signal == SIGKILL ? "it may have used more memory than the machine or the pod has" : nil
            )
        case .outOfMemory:
            (
                "the command was killed: out of memory, limit \((request.stepMemoryLimit ?? 0) >> 20) MiB of "
                    + "builds.stepMemory (--step-memory)",
                "raise the limit, or let the command work on less at a time (make -j, GOMAXPROCS, --max-old-space-size)"
            )
        case .tooManyProcesses:
            (
                "the command was stopped: it had more than \(request.stepProcessLimit) processes",
                "does it start itself again and again? A step may have that many processes at a time"
            )
        case .storageFull:
            (
                "the command was stopped: it left less than \(disk.reserve >> 20) MiB of the disk free",
                "does it write without end? If not, put the state directory on a larger disk"
            )
        case .timedOut:
            (
                "the command was stopped: it took longer than the step's time limit",
                "raise the limit for steps, or look why the command hangs; its standard input is empty"
            )
        }
    }

    /// As it was written, where a shell runs it.
    private var commandLine: String {
        step.arguments.count > 2 && step.arguments[1] == "-c"
            ? step.arguments.dropFirst(2).joined(separator: " ") : step.arguments.joined(separator: " ")
    }
}
