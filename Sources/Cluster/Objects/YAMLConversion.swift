package import JSON
package import YAML

extension JSONValue {
    /// A node of YAML as kubectl sends it: plain scalars are null, booleans and numbers by the rules of go-yaml v2, which
    /// sigs.k8s.io/yaml follows; anchors and merge keys are filled in.
    ///
    /// - Parameter limit: nodes that it may have at most, aliases counted as what they stand for.
    /// - Returns: `nil` when it has more, or a key that is no text.
    package init?(_ node: YAMLNode, limit: Int = 200_000) {
        var left = limit
        guard let value = Self.value(node, &left) else { return nil }
        self = value
    }

    private static func value(_ node: YAMLNode, _ left: inout Int) -> JSONValue? {
        left -= 1
        guard left >= 0 else { return nil }
        switch node.content {
        case .alias(let target): return value(target, &left)
        case .scalar(let text, let style): return scalar(text, style, tag: node.tag)
        case .sequence(let items, _):
            var list: [JSONValue] = []
            for item in items {
                guard let value = value(item, &left) else { return nil }
                list.append(value)
            }
            return .array(list)
        case .mapping:
            var members: [String: JSONValue] = [:]
            for pair in node.mergedPairs {
                guard let key = pair.key.text, let value = value(pair.value, &left) else { return nil }
                members[key] = value
            }
            return .object(members)
        }
    }

    private static func scalar(_ text: String, _ style: YAMLScalarStyle, tag: String?) -> JSONValue {
        guard style == .plain, tag == nil || tag == "!!int" || tag == "!!float" || tag == "!!bool" else {
            return .string(text)
        }
        if PlainScalar.isString(text) { return .string(text) }
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON": return .bool(true)
        case "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF": return .bool(false)
        default: return numeric(text) ?? .string(text)
        }
    }

    private static func numeric(_ text: String) -> JSONValue? {
        let digits = text.replacing("_", with: "")
        let body = digits.drop { $0 == "+" || $0 == "-" }
        let sign = digits.hasPrefix("-") ? "-" : ""
        let radix: (Int, Substring)? =
            if body.hasPrefix("0x") { (16, body.dropFirst(2)) } else if body.hasPrefix("0b") {
                (2, body.dropFirst(2))
            } else if body.hasPrefix("0o") {
                (8, body.dropFirst(2))
            } else if body.count > 1, body.hasPrefix("0"), body.allSatisfy({ ("0"..."7").contains($0) }) {
                (8, body.dropFirst())
            } else { nil }
        if let (radix, rest) = radix {
            return UInt64(rest, radix: radix).map { .number("\(sign)\($0)") }
        }
        if let whole = Int64(digits) { return .number("\(whole)") }
        // Infinity and NaN have no form in JSON; times and sexagesimal numbers stay texts.
        guard let value = Double(digits), value.isFinite else { return nil }
        return .number("\(value)")
    }
}
