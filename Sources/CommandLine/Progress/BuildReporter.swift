import Agent
import Builder
import Glibc
import Text

/// Shows a build's progress in the form that was asked for.
struct BuildReporter: Sendable {
    let handle: @Sendable (BuildEvent) -> Void
    /// One line that is no event of the builder's.
    let say: @Sendable (String) -> Void
    /// Ends the view; what was shown of running steps goes away.
    let finish: @Sendable () -> Void

    init(_ options: LogOptions, _ console: Console) {
        let isOpen = !options.quiet && options.verbosity >= .info
        let line: @Sendable (String) -> Void = { text in
            console.progress(options.timestamps ? "\(Self.now) \(text)" : text)
        }
        switch Self.form(options) {
        case .json where isOpen:
            let lines = JSONProgress { console.progress($0) }
            self.init(handle: lines.handle, say: lines.say, finish: {})
        case .tty where isOpen:
            let view = LiveProgress(showsTimes: options.timestamps, console)
            self.init(handle: view.handle, say: view.say, finish: view.finish)
        default:
            let lines = BuildProgress(keepsColours: Self.showsColours, say: line)
            // Below 'info', only what the user may want to know.
            self.init(
                handle: { event in
                    if isOpen { return lines.handle(event) }
                    if case .note = event { lines.handle(event) }
                }, say: { if isOpen || $0.hasPrefix("note:") { line($0) } }, finish: {})
        }
    }

    private init(
        handle: @escaping @Sendable (BuildEvent) -> Void, say: @escaping @Sendable (String) -> Void,
        finish: @escaping @Sendable () -> Void
    ) {
        self.handle = handle
        self.say = say
        self.finish = finish
    }

    private static func form(_ options: LogOptions) -> LogOptions.ProgressForm {
        guard options.progress == .auto else { return options.progress }
        if options.format == .json { return .json }
        // More than a view can hold was asked for.
        if options.verbosity > .info || options.format == .text { return .plain }
        let terminal = OutputOptions.environment("TERM") ?? "dumb"
        return isatty(STDERR_FILENO) != 0 && terminal != "dumb" ? .tty : .plain
    }

    /// Whether standard error is a terminal that shows colours. https://no-color.org
    private static var showsColours: Bool {
        isatty(STDERR_FILENO) != 0 && (OutputOptions.environment("TERM") ?? "dumb") != "dumb"
            && OutputOptions.environment("NO_COLOR") == nil
    }

    /// The time of day, as kaniko's logs have it.
    static var now: String { UTCDate(secondsSince1970: SystemClock().now).rfc3339 }
}
