import ManifestUpdater
import RegistryPoller

/// Which objects a Kustomize patch is for: all that match what is said. Names and namespaces are anchored regular expressions.
///
/// https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/patches/
struct KustomizeTarget {
    private let selector: ObjectValue
    private let name: Pattern?
    private let namespace: Pattern?

    init(_ selector: ObjectValue) {
        self.selector = selector
        name = selector["name"]?.string.map(Pattern.init)
        namespace = selector["namespace"]?.string.map(Pattern.init)
    }

    private struct Pattern {
        let text: String
        let expression: RegularExpression?

        init(_ text: String) {
            self.text = text
            expression = try? RegularExpression("^(?:\(text))$")
        }

        func matches(_ texts: Set<String>) -> Bool {
            texts.contains(text) || expression.map { expression in texts.contains { expression.matches($0) } } ?? false
        }
    }

    func matches(_ built: KustomizeBuild.Built) -> Bool {
        let object = built.object
        if let kind = selector["kind"]?.string, kind != object.kind.rawValue { return false }
        if let group = selector["group"]?.string, group != object.kind.group { return false }
        let apiVersion = object.value["apiVersion"]?.string ?? ""
        if let version = selector["version"]?.string, !apiVersion.hasSuffix("/\(version)") { return false }
        if let name, !name.matches(built.names) { return false }
        if let namespace, !namespace.matches(built.namespaces) { return false }
        if let text = selector["labelSelector"]?.string, !Self.matches(labels: text, object.labels) { return false }
        if let text = selector["annotationSelector"]?.string {
            let annotations = object.value["metadata"]?["annotations"]?.texts ?? [:]
            if !Self.matches(labels: text, annotations) { return false }
        }
        return true
    }

    /// The short form of label selectors: `a=b,c!=d,e,!f,g in (x, y)`.
    private static func matches(labels text: String, _ labels: [String: String]) -> Bool {
        var terms: [String] = []
        var depth = 0
        var term = ""
        for character in text {
            if character == "(" { depth += 1 }
            if character == ")" { depth -= 1 }
            if character == ",", depth == 0 {
                terms.append(term)
                term = ""
            } else {
                term.append(character)
            }
        }
        terms.append(term)
        return terms.allSatisfy { matches(term: $0, labels) }
    }

    private static func matches(term: String, _ labels: [String: String]) -> Bool {
        func trimmed(_ text: some StringProtocol) -> String { text.split(separator: " ").joined(separator: " ") }
        for word in [" notin ", " in "] {
            guard let range = term.firstRange(of: word) else { continue }
            let values = term[range.upperBound...].filter { $0 != "(" && $0 != ")" }.split(separator: ",").map(trimmed)
            let isIn = labels[trimmed(term[..<range.lowerBound])].map(values.contains) ?? false
            return word == " in " ? isIn : !isIn
        }
        for word in ["!=", "==", "="] {
            guard let range = term.firstRange(of: word) else { continue }
            let isEqual = labels[trimmed(term[..<range.lowerBound])] == trimmed(term[range.upperBound...])
            return word == "!=" ? !isEqual : isEqual
        }
        let key = trimmed(term)
        return key.hasPrefix("!") ? labels[trimmed(key.dropFirst())] == nil : labels[key] != nil
    }
}
