/// How the agent's log is written.
package enum LogFormat: String, Sendable, CaseIterable {
    /// `key=value` pairs, quoted where they need it.
    case logfmt
    /// One JSON object a line (RFC 8259).
    case json

    /// A record as a line, with its line end. It holds no other one.
    package func line(_ record: LogRecord) -> [UInt8] {
        switch self {
        case .logfmt: LogfmtLine.bytes(record)
        case .json: JSONLine.bytes(record)
        }
    }
}
