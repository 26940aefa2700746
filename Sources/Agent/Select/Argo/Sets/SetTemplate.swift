import Diagnostics
import ManifestUpdater
import Template

/// The two languages of ApplicationSets: fasttemplate (`{{key}}`) and Go's text/template.
///
/// https://argo-cd.readthedocs.io/en/stable/operator-manual/applicationset/GoTemplate/
struct SetTemplate: Sendable {
    let isGo: Bool

    /// - Parameter values: a mapping; for fasttemplate with flat keys.
    /// - Throws: where a value is missing, as no path and no name may hold `{{key}}` or `<no value>`.
    func render(_ text: String, _ values: ArgoValue) throws(SetFailure) -> String {
        guard text.contains("{{") else { return text }
        let result = isGo ? try go(text, values) : Self.fast(text, values)
        if isGo ? result.contains("<no value>") : result.contains("{{") {
            throw .wrong("'\(text.prefix(80))' names a value that its generator does not give")
        }
        return result
    }

    /// Each text and each key of a tree.
    func render(_ tree: ArgoValue, _ values: ArgoValue) throws(SetFailure) -> ArgoValue {
        switch tree {
        case .text(let text): return .text(try render(text, values))
        case .list(let items):
            var result: [ArgoValue] = []
            for item in items { result.append(try render(item, values)) }
            return .list(result)
        case .map(let pairs):
            var result: [ArgoValue.Pair] = []
            for pair in pairs {
                result.append(ArgoValue.Pair(try render(pair.key, values), try render(pair.value, values)))
            }
            return .map(result)
        case .null, .bool, .number: return tree
        }
    }

    /// The same where texts may wait for values that come later: those stay as they are.
    func renderKnown(_ tree: ArgoValue, _ values: ArgoValue) -> ArgoValue {
        switch tree {
        case .text(let text): .text((try? render(text, values)) ?? (isGo ? text : Self.fast(text, values)))
        case .list(let items): .list(items.map { renderKnown($0, values) })
        case .map(let pairs): .map(pairs.map { ArgoValue.Pair($0.key, renderKnown($0.value, values)) })
        case .null, .bool, .number: tree
        }
    }

    private func go(_ text: String, _ values: ArgoValue) throws(SetFailure) -> String {
        do {
            return try Template(text, name: "the template").render(Self.value(values))
        } catch {
            throw .wrong("'\(text.prefix(80))' cannot be rendered: \(error.summary)")
        }
    }

    private static func value(_ value: ArgoValue) -> TemplateValue {
        switch value {
        case .null: .none
        case .bool(let flag): .bool(flag)
        case .number(let text): Int(text).map { .integer($0) } ?? .string(text)
        case .text(let text): .string(text)
        case .list(let items): .list(items.map(Self.value))
        case .map(let pairs): .map(Dictionary(pairs.map { ($0.key, Self.value($0.value)) }) { $1 })
        }
    }

    /// Unknown keys stay as they are written.
    private static func fast(_ text: String, _ values: ArgoValue) -> String {
        let parts = text.split(separator: "{{", omittingEmptySubsequences: false)
        var result = String(parts[0])
        for part in parts.dropFirst() {
            let halves = part.split(separator: "}}", maxSplits: 1, omittingEmptySubsequences: false)
            let key = halves[0].filter { !$0.isWhitespace }
            guard halves.count == 2, case .text(let value)? = values[key] else {
                result += "{{" + part
                continue
            }
            result += value + halves[1]
        }
        return result
    }
}
