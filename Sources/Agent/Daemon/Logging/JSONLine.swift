import Logging

/// A record as a JSON object (RFC 8259): `time`, `level` and `msg` first, then the other keys in their order.
enum JSONLine {
    static func bytes(_ record: LogRecord) -> [UInt8] {
        var text = "{\"time\":"
        append(record.time, to: &text)
        text += ",\"level\":"
        append(record.level.rawValue, to: &text)
        text += ",\"msg\":"
        append(record.message, to: &text)
        for (key, value) in record.fields {
            text += ","
            append(key, to: &text)
            text += ":"
            append(value, to: &text)
        }
        return Array(text.utf8) + [UInt8(ascii: "}"), 0x0a]
    }

    /// Metadata by itself. All values are texts, so that a key has one type in all lines.
    static func text(_ metadata: Logger.MetadataValue) -> String {
        var text = ""
        append(metadata, to: &text)
        return text
    }

    private static func append(_ metadata: Logger.MetadataValue, to text: inout String) {
        switch metadata {
        case .string(let string): append(string, to: &text)
        case .stringConvertible(let value): append(value.description, to: &text)
        case .array(let items):
            text += "["
            for (index, item) in items.enumerated() {
                if index > 0 { text += "," }
                append(item, to: &text)
            }
            text += "]"
        case .dictionary(let entries):
            text += "{"
            for (index, entry) in entries.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { text += "," }
                append(entry.key, to: &text)
                text += ":"
                append(entry.value, to: &text)
            }
            text += "}"
        }
    }

    /// A text with its quotes. Beyond what JSON asks for, control characters of 8 bits and line separators are escaped, which
    /// terminals and viewers act on.
    private static func append(_ string: String, to text: inout String) {
        text += "\""
        for scalar in string.unicodeScalars {
            switch scalar.value {
            case 0x22: text += "\\\""
            case 0x5c: text += "\\\\"
            case 0x0a: text += "\\n"
            case 0x0d: text += "\\r"
            case 0x09: text += "\\t"
            case ..<0x20, 0x7f..<0xa0, 0x2028, 0x2029:
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}
