/// The signals that `STOPSIGNAL` may name.
package enum StopSignal {
    private static let names: Set<String> = [
        "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE", "POLL",
        "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1",
        "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX",
    ]

    /// - Throws: `.argument`, without a place.
    package static func validate(_ signal: String) throws(DockerfileError) {
        if let number = Int(signal), number >= 0 { return }
        var name = signal.uppercased()
        if name.hasPrefix("SIG") { name.removeFirst(3) }
        if names.contains(name) || isRealTime(name) { return }
        throw DockerfileError(
            .argument, "STOPSIGNAL \(quoted(signal)) is not a signal", near: signal,
            hint: Suggestion.hint(for: name, among: names.sorted(), prefix: "SIG")
                ?? "write a number or a name such as SIGTERM")
    }

    /// `RTMIN+1` … `RTMIN+15`, `RTMAX-14` … `RTMAX-1`.
    private static func isRealTime(_ name: String) -> Bool {
        func distance(_ prefix: String) -> UInt32? {
            name.hasPrefix(prefix) ? GoValue.unsigned(String(name.dropFirst(prefix.count))) : nil
        }
        if let up = distance("RTMIN+") { return (1...15).contains(up) }
        if let down = distance("RTMAX-") { return (1...14).contains(down) }
        return false
    }
}
