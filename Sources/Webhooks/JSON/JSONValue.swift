/// A JSON value as far as events need it. Numbers are read over: no event needs one, and senders write them in too many ways.
enum JSONValue: Sendable, Equatable {
    case object([String: JSONValue])
    case array([JSONValue])
    case string(String)
    case bool(Bool)
    case number
    case null

    /// The value of a key; null where there is none, or no object.
    subscript(_ key: String) -> JSONValue {
        guard case .object(let members) = self else { return .null }
        return members[key] ?? .null
    }

    /// The items of an array; none of anything else.
    var items: [JSONValue] {
        guard case .array(let items) = self else { return [] }
        return items
    }

    /// A text that is not empty.
    var text: String? {
        guard case .string(let text) = self, !text.isEmpty else { return nil }
        return text
    }

    var isTrue: Bool { self == .bool(true) }
}
