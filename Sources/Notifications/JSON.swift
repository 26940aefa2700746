import Text

/// A JSON value that is written, its members in the order in which they were given: no text can end its own string.
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
        case .text(let text): JSONText.quoted(text)
        case .number(let text): text
        case .bool(let value): value ? "true" : "false"
        case .null: "null"
        case .list(let items): "[" + items.map(\.written).joined(separator: ",") + "]"
        case .members(let members):
            "{" + members.map { "\(JSONText.quoted($0.name)):\($0.value.written)" }.joined(separator: ",") + "}"
        }
    }
}
