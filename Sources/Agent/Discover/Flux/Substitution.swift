import ManifestUpdater

/// The variables of a Flux Kustomization's `postBuild`, put into the texts of what it builds.
///
/// https://fluxcd.io/flux/components/kustomize/kustomizations/#post-build-variable-substitution
struct Substitution: Sendable {
    /// Those that are written out.
    let variables: [String: String]
    /// Whether others come from ConfigMaps or Secrets, which may hold any name.
    let hasOthers: Bool

    struct Unknown: Error {
        let reason: String
    }

    /// - Returns: `nil` where nothing is substituted, not even defaults.
    init?(_ postBuild: ObjectValue?) {
        variables = (postBuild?["substitute"]?.texts ?? [:]).mapValues { $0.filter { !$0.isNewline } }
        hasOthers = !(postBuild?["substituteFrom"]?.items ?? []).isEmpty
        if variables.isEmpty, !hasOthers { return nil }
    }

    /// Bytes that the texts of one object may have once variables are put in.
    private static let limit = 1 << 20

    /// Every text of a value; keys stay.
    func applied(to value: ObjectValue) throws(Unknown) -> ObjectValue {
        var left = Self.limit
        return try applied(to: value, &left)
    }

    private func applied(to value: ObjectValue, _ left: inout Int) throws(Unknown) -> ObjectValue {
        switch value {
        case .null: return .null
        case .text(let text): return .text(try applied(to: text, &left))
        case .list(let items):
            var result: [ObjectValue] = []
            for item in items { result.append(try applied(to: item, &left)) }
            return .list(result)
        case .mapping(let fields):
            var result: [String: ObjectValue] = [:]
            for (key, field) in fields { result[key] = try applied(to: field, &left) }
            return .mapping(result)
        }
    }

    private func applied(to text: String, _ left: inout Int) throws(Unknown) -> String {
        guard text.contains("${") else { return text }
        var result = ""
        var rest = text[...]
        while let start = rest.firstRange(of: "${") {
            // `$${x}` is written for `${x}`.
            if start.lowerBound > rest.startIndex, rest[rest.index(before: start.lowerBound)] == "$" {
                result += rest[..<start.upperBound].replacing("$${", with: "${", maxReplacements: 1)
                rest = rest[start.upperBound...]
                continue
            }
            result += rest[..<start.lowerBound]
            rest = rest[start.upperBound...]
            guard let end = rest.firstIndex(of: "}") else {
                throw Unknown(reason: "'${' is not closed in '\(text.prefix(100))'")
            }
            let value = try value(of: rest[..<end])
            left -= value.utf8.count
            guard left >= 0 else { throw Unknown(reason: "its variables hold more than \(Self.limit) bytes") }
            result += value
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }

    /// - Parameter expression: `name`, `name:=default`, `name:-default`.
    private func value(of expression: Substring) throws(Unknown) -> String {
        let name = expression.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        let operation = expression[name.endIndex...]
        guard let first = name.first, !first.isNumber else {
            throw Unknown(reason: "'${\(expression.prefix(100))}' names no variable")
        }
        guard operation.isEmpty || operation.hasPrefix(":=") || operation.hasPrefix(":-") else {
            throw Unknown(reason: "'${\(expression.prefix(100))}' is a form of substitution that is not followed")
        }
        if let value = variables[String(name)], !value.isEmpty || operation.isEmpty { return value }
        if hasOthers, variables[String(name)] == nil {
            throw Unknown(reason: "'${\(expression.prefix(100))}' comes from postBuild.substituteFrom")
        }
        return String(operation.dropFirst(2))
    }
}
