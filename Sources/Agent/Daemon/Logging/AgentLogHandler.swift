import Glibc
package import Logging

/// Writes the agent's log, a line for each event.
package struct AgentLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    package var logLevel: Logger.Level

    private let format: LogFormat
    private let output: LogOutput
    private let now: @Sendable () -> Int64

    /// - Parameter now: milliseconds since 1970.
    package init(
        _ settings: LogSettings, output: LogOutput, now: @escaping @Sendable () -> Int64 = AgentLogHandler.systemTime
    ) {
        format = settings.format
        logLevel = settings.level
        self.output = output
        self.now = now
    }

    package subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// What the event says of a key goes before what the provider says, and that before what the logger does.
    package func log(event: LogEvent) {
        var all = metadata
        if let provider = metadataProvider { all.merge(provider.get()) { _, new in new } }
        if let own = event.metadata { all.merge(own) { _, new in new } }
        let record = LogRecord(
            milliseconds: now(), level: event.level, message: event.message.description, metadata: all,
            error: event.error)
        output.write(format.line(record))
    }

    package static let systemTime: @Sendable () -> Int64 = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
