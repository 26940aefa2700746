import Logging
import Text

/// A record as `key=value` pairs. https://brandur.org/logfmt, with the quoting that Go's log/slog and go-logfmt read.
enum LogfmtLine {
    static func bytes(_ record: LogRecord) -> [UInt8] {
        var text = "time=\(record.time) level=\(record.level.rawValue) msg="
        text += value(record.message)
        var taken = Logger.Metadata()
        for (key, value) in record.fields { append(key, value, to: &text, &taken) }
        return Array(text.utf8) + [0x0a]
    }

    /// A dictionary's entries become keys with dots; a list becomes JSON.
    private static func append(
        _ key: String, _ metadata: Logger.MetadataValue, to text: inout String, _ taken: inout Logger.Metadata
    ) {
        switch metadata {
        case .dictionary(let entries) where !entries.isEmpty:
            for (inner, value) in entries.sorted(by: { $0.key < $1.key }) {
                append("\(key).\(inner)", value, to: &text, &taken)
            }
        case .dictionary, .array: pair(key, JSONLine.text(metadata), to: &text, &taken)
        case .string(let string): pair(key, string, to: &text, &taken)
        case .stringConvertible(let value): pair(key, value.description, to: &text, &taken)
        }
    }

    private static func pair(
        _ key: String, _ string: String, to text: inout String, _ taken: inout Logger.Metadata
    ) {
        var key = name(key)
        // What was taken out of a key may have been all that told it from another.
        if LogRecord.reserved.contains(key) { key += "_" }
        key = LogRecord.free(key, in: taken)
        taken[key] = ""
        text += " \(key)=\(value(string))"
    }

    /// A key cannot be quoted: what would end it becomes an underscore.
    private static func name(_ key: String) -> String {
        var scalars = String.UnicodeScalarView()
        for scalar in key.unicodeScalars {
            scalars.append(scalar == "=" || scalar == "\"" || scalar == " " || !isPrintable(scalar) ? "_" : scalar)
        }
        return scalars.isEmpty ? "_" : String(scalars)
    }

    private static func value(_ text: String) -> String {
        let isPlain = text.unicodeScalars.allSatisfy { scalar in
            isPrintable(scalar) && scalar != " " && scalar != "\"" && scalar != "=" && scalar != "\\"
        }
        return isPlain && !text.isEmpty ? text : JSONText.quoted(text, showing: isPrintable)
    }

    /// Whether a terminal shows it as it is: no control characters, none that break lines or turn the direction of writing,
    /// no blanks but the usual one.
    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned: false
        case .spaceSeparator: scalar == " "
        default: true
        }
    }
}
