package import YAML

/// A value of one of Argo CD's objects, apart from how it is written: what the API server would see as JSON.
package indirect enum ArgoValue: Hashable, Sendable {
    package struct Pair: Hashable, Sendable {
        package var key: String
        package var value: ArgoValue

        package init(_ key: String, _ value: ArgoValue) {
            self.key = key
            self.value = value
        }
    }

    case null
    case bool(Bool)
    /// As it is written.
    case number(String)
    case text(String)
    case list([ArgoValue])
    /// Each key once, in the order of the text.
    case map([Pair])

    /// Plain scalars become what YAML 1.1 makes of them, as in Kubernetes; aliases and merge keys are followed.
    package init(_ node: YAMLNode) {
        if let items = node.items {
            self = .list(items.map { ArgoValue($0) })
        } else if node.pairs != nil {
            self = .map(node.mergedPairs.map { Pair($0.key.text ?? "", ArgoValue($0.value)) })
        } else if node.isNull {
            self = .null
        } else {
            self = Self.scalar(node.text ?? "", isPlain: node.style == .plain && node.resolved.tag == nil)
        }
    }

    private static func scalar(_ text: String, isPlain: Bool) -> ArgoValue {
        guard isPlain, !PlainScalar.isString(text) else { return .text(text) }
        switch text.lowercased() {
        case "true", "yes", "on": return .bool(true)
        case "false", "no", "off": return .bool(false)
        default:
            let isNumber = text.utf8.allSatisfy {
                (0x30...0x39).contains($0) || [0x2B, 0x2D, 0x2E, 0x45, 0x65].contains($0)
            }
            return isNumber && Double(text) != nil ? .number(text) : .text(text)
        }
    }

    package subscript(key: String) -> ArgoValue? {
        guard case .map(let pairs) = self else { return nil }
        return pairs.first { $0.key == key }?.value
    }

    package var items: [ArgoValue]? {
        if case .list(let items) = self { items } else { nil }
    }

    package var pairs: [Pair]? {
        if case .map(let pairs) = self { pairs } else { nil }
    }

    /// A text that is not empty.
    package var filledText: String? {
        if case .text(let text) = self, !text.isEmpty { text } else { nil }
    }

    /// A scalar as it prints; `nil` for null and collections.
    package var scalarText: String? {
        switch self {
        case .text(let text), .number(let text): text
        case .bool(let flag): flag ? "true" : "false"
        case .null, .list, .map: nil
        }
    }

    /// The texts of a mapping; other values are left out, as an API server would refuse them.
    package var texts: [String: String] {
        var result: [String: String] = [:]
        for pair in pairs ?? [] { if let text = pair.value.scalarText { result[pair.key] = text } }
        return result
    }

    /// This value with another one laid over it: mappings are merged, all else is replaced, a null takes a key away.
    package func merged(with patch: ArgoValue) -> ArgoValue {
        guard case .map(var pairs) = self, case .map(let changes) = patch else { return patch }
        for change in changes {
            if let index = pairs.firstIndex(where: { $0.key == change.key }) {
                if change.value == .null {
                    pairs.remove(at: index)
                } else {
                    pairs[index].value = pairs[index].value.merged(with: change.value)
                }
            } else if change.value != .null {
                pairs.append(change)
            }
        }
        return .map(pairs)
    }
}
