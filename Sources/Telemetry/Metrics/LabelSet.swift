/// Labels of a series, as both text formats write them between the braces.
package struct LabelSet: Sendable, Hashable, Comparable {
    /// `name="value",…`; empty without labels.
    let text: String

    /// Bytes of one value. Foreign names may have any length; a scrape must not.
    static let valueLimit = 256

    package init(_ labels: [(name: String, value: String)]) {
        text = labels.map { Self.pair($0.name, $0.value) }.joined(separator: ",")
    }

    package static func < (left: LabelSet, right: LabelSet) -> Bool { left.text < right.text }

    /// Whether the first label has this value.
    func begins(with name: String, _ value: String) -> Bool {
        let pair = Self.pair(name, value)
        return text == pair || text.hasPrefix(pair + ",")
    }

    /// With one more label at the end.
    func adding(_ name: String, _ value: String) -> String {
        text.isEmpty ? Self.pair(name, value) : text + "," + Self.pair(name, value)
    }

    private static func pair(_ name: String, _ value: String) -> String {
        var escaped = ""
        for character in shortened(value) {
            switch character {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n", "\r\n": escaped += "\\n"
            default: escaped.append(character)
            }
        }
        return "\(name)=\"\(escaped)\""
    }

    private static func shortened(_ value: String) -> String {
        guard value.utf8.count > valueLimit else { return value }
        var short = ""
        for character in value {
            guard short.utf8.count + character.utf8.count <= valueLimit - 3 else { break }
            short.append(character)
        }
        return short + "…"
    }
}
