package import YAML

/// A manifest's value without its place in a text: aliases and merge keys are what they stand for. Kustomize's patches work on it.
package indirect enum ObjectValue: Sendable, Hashable {
    case null
    /// A scalar's text, whatever its type.
    case text(String)
    case list([ObjectValue])
    case mapping([String: ObjectValue])

    /// - Parameter limit: nodes that it may have at most, aliases counted as what they stand for.
    /// - Returns: `nil` when it has more.
    package init?(_ node: YAMLNode, limit: Int = 20_000) {
        var left = limit
        guard let value = Self.value(node, &left) else { return nil }
        self = value
    }

    private static func value(_ node: YAMLNode, _ left: inout Int) -> ObjectValue? {
        left -= 1
        guard left >= 0 else { return nil }
        if node.isNull { return .null }
        if let text = node.text { return .text(text) }
        if let items = node.items {
            var list: [ObjectValue] = []
            for item in items {
                guard let value = value(item, &left) else { return nil }
                list.append(value)
            }
            return .list(list)
        }
        var mapping: [String: ObjectValue] = [:]
        for pair in node.mergedPairs {
            guard let value = value(pair.value, &left) else { return nil }
            if let key = pair.key.text { mapping[key] = value }
        }
        return .mapping(mapping)
    }

    /// How many values it has, itself among them.
    package var count: Int {
        switch self {
        case .null, .text: 1
        case .list(let items): items.reduce(1) { $0 + $1.count }
        case .mapping(let fields): fields.values.reduce(1) { $0 + $1.count }
        }
    }

    package subscript(key: String) -> ObjectValue? {
        guard case .mapping(let pairs) = self else { return nil }
        return pairs[key]
    }

    /// A scalar's text that is not empty; `nil` for all else.
    package var string: String? {
        guard case .text(let text) = self, !text.isEmpty else { return nil }
        return text
    }

    package var items: [ObjectValue] {
        guard case .list(let items) = self else { return [] }
        return items
    }

    /// The texts of a mapping, by their keys.
    package var texts: [String: String] {
        guard case .mapping(let pairs) = self else { return [:] }
        return pairs.compactMapValues { value in
            guard case .text(let text) = value else { return nil }
            return text
        }
    }

    package var isTrue: Bool { self == .text("true") }
}
