import ArgumentParser

/// What `slipway build` tells while it works.
struct LogOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How progress is shown: plain lines, a live view on a terminal (tty), lines of JSON, or as fits (auto).",
            valueName: "form"))
    var progress: ProgressForm = .auto

    @Flag(help: "Print no progress.")
    var quiet = false

    @Option(
        name: [.customShort("v"), .long],
        help: ArgumentHelp(
            "How much is told: panic, fatal, error, warn, info, debug or trace.", valueName: "level"))
    var verbosity: Verbosity = .info

    @Option(
        name: .customLong("log-format"),
        help: ArgumentHelp("kaniko's name for --progress: text, color or json.", valueName: "format"))
    var format: LogFormat?

    @Flag(name: .customLong("log-timestamp"), help: "Begin every line with the time.")
    var timestamps = false

    enum ProgressForm: String, ExpressibleByArgument, CaseIterable { case auto, plain, tty, json }

    enum Verbosity: String, ExpressibleByArgument, CaseIterable, Comparable {
        case panic, fatal, error, warn, info, debug, trace

        static func < (left: Verbosity, right: Verbosity) -> Bool { left.rank < right.rank }
        private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }

        init?(argument: String) { self.init(rawValue: argument == "warning" ? "warn" : argument.lowercased()) }
    }

    enum LogFormat: String, ExpressibleByArgument, CaseIterable { case text, color, json }
}
