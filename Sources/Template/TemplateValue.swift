/// What a template can show, compare and walk through.
package indirect enum TemplateValue: Sendable, Equatable {
    case none
    case bool(Bool)
    case integer(Int)
    case string(String)
    case list([TemplateValue])
    /// In the order in which `range` shows the entries: sorted by the one who makes it.
    case map([Entry])
    /// Fields with names that are known: to ask for another is an error, as with Go's structs.
    case object(Object)

    package struct Entry: Sendable, Equatable {
        package var key: TemplateValue
        package var value: TemplateValue

        package init(_ key: TemplateValue, _ value: TemplateValue) {
            self.key = key
            self.value = value
        }
    }

    package struct Object: Sendable, Equatable {
        /// What printing it shows; `nil` shows the fields, as Go does.
        package var text: String?
        package var fields: [(name: String, value: TemplateValue)]

        package init(text: String? = nil, _ fields: [(name: String, value: TemplateValue)]) {
            self.text = text
            self.fields = fields
        }

        package static func == (left: Object, right: Object) -> Bool {
            left.text == right.text && left.fields.map(\.name) == right.fields.map(\.name)
                && left.fields.map(\.value) == right.fields.map(\.value)
        }
    }

    package static func object(
        text: String? = nil, _ fields: [(name: String, value: TemplateValue)]
    ) -> TemplateValue { .object(Object(text: text, fields)) }

    /// A map with texts as keys, sorted by them.
    package static func map(_ entries: [String: TemplateValue]) -> TemplateValue {
        .map(entries.sorted { $0.key < $1.key }.map { Entry(.string($0.key), $0.value) })
    }

    /// Go's truth: what is there and not empty.
    var isTrue: Bool {
        switch self {
        case .none: false
        case .bool(let value): value
        case .integer(let value): value != 0
        case .string(let text): !text.isEmpty
        case .list(let items): !items.isEmpty
        case .map(let entries): !entries.isEmpty
        case .object: true
        }
    }

    /// As `fmt.Print` shows it.
    var text: String {
        switch self {
        case .none: "<no value>"
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .string(let text): text
        case .list(let items): "[" + items.map(\.text).joined(separator: " ") + "]"
        case .map(let entries):
            "map[" + entries.map { "\($0.key.text):\($0.value.text)" }.joined(separator: " ") + "]"
        case .object(let object):
            object.text ?? "{" + object.fields.map(\.value.text).joined(separator: " ") + "}"
        }
    }

    /// For error messages.
    var kind: String {
        switch self {
        case .none: "nothing"
        case .bool: "a truth value"
        case .integer: "a number"
        case .string: "a text"
        case .list: "a list"
        case .map: "a map"
        case .object: "an object"
        }
    }
}
