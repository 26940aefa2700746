/// A JSON value that is written: texts are escaped here and nowhere else, so none can end its own string.
package indirect enum JSON: Sendable, Equatable {
    package struct Member: Sendable, Equatable {
        package let name: String
        package let value: JSON
    }

    case text(String)
    /// As it is written; the maker sees to it that it is a number.
    case number(String)
    case bool(Bool)
    case null
    case list([JSON])
    case members([Member])

    /// Members without a value are left out.
    package static func object(_ members: KeyValuePairs<String, JSON?>) -> JSON {
        .members(members.compactMap { name, value in value.map { Member(name: name, value: $0) } })
    }

    package var bytes: [UInt8] { Array(written.utf8) }

    /// RFC 8259, without white space.
    package var written: String {
        switch self {
        case .text(let text): Self.quoted(text)
        case .number(let text): text
        case .bool(let value): value ? "true" : "false"
        case .null: "null"
        case .list(let items): "[" + items.map(\.written).joined(separator: ",") + "]"
        case .members(let members):
            "{" + members.map { "\(Self.quoted($0.name)):\($0.value.written)" }.joined(separator: ",") + "}"
        }
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            default:
                if scalar.value < 0x20 {
                    let digits = String(scalar.value, radix: 16)
                    result += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result + "\""
    }
}
