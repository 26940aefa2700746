import Sandbox

/// What a person can do about a step that failed, judged by its exit code and its last words.
enum StepAdvice {
    /// What programs say that miss /proc: its paths; `$ORIGIN` of a library's path that cannot be found out (java); their own
    /// place that they do not find (rustc, swiftc, Go).
    private static func needsProc(_ output: String) -> Bool {
        [
            "/proc", "/dev/fd/", "libjli.so", "current_exe", "current exe", "failed to find sysroot", "os.Executable",
            "cannot determine executable path",
        ].contains { output.contains($0) }
    }

    static func hint(forExitCode code: Int32, step: RunStep, output: String, mode: IsolationMode) -> String? {
        if mode == .chroot, needsProc(output) {
            return "in a chroot there is no /proc, which Java, Rust, Swift and the shell's <(…) need: use --isolation "
                + "namespaces for this step, where user namespaces are allowed"
        }
        if mode != .namespaces, output.contains("no new privileges") {
            return "where the agent has no CAP_SYS_ADMIN, a step's programs gain nothing by setuid "
                + "(docs/security.md): run this step as root (USER 0), or use --isolation namespaces"
        }
        if output.contains("Invalid argument"), IdentityMap.mark != nil { return SubordinateIDs.remedy }
        // As bash and dash say it.
        if output.contains("$'\\r'") || output.contains("^M") {
            return
                "a script has the line ends of Windows (CR LF): save it with LF (in .gitattributes: *.sh text eol=lf)"
        }
        if code == 127 || output.contains("not found") && code == 127 {
            let program = step.arguments.first ?? ""
            return step.arguments.count > 1 && step.arguments[1] == "-c"
                ? "the shell did not find a program: is it installed in this stage, and on PATH?"
                : "is \(program) in the image, and on PATH?"
        }
        if code == 126 { return "the file is there but cannot be executed: wrong mode, or made for another platform" }
        if code == 137 { return "killed from outside: it may have used more memory than the machine or the pod has" }
        if output.contains("No space left on device") {
            return "the disk of the state directory is full, or the file system that the step wrote to"
        }
        if output.contains("Temporary failure in name resolution") || output.contains("Could not resolve") {
            return "the step has no name resolution; is the network reachable from this machine?"
        }
        return nil
    }
}
