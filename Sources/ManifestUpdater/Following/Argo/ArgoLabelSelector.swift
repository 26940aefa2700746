/// A label selector of Kubernetes: all that it says must hold.
///
/// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
package struct ArgoLabelSelector: Hashable, Sendable {
    package struct Expression: Hashable, Sendable {
        package var key: String
        package var relation: String
        package var values: [String]
    }

    package var labels: [String: String]
    package var expressions: [Expression]
    /// Why it matches nothing.
    package var problem: String?

    package init(_ selector: ArgoValue) {
        labels = selector["matchLabels"]?.texts ?? [:]
        expressions = (selector["matchExpressions"]?.items ?? []).map { item in
            Expression(
                key: item["key"]?.filledText ?? "", relation: item["operator"]?.filledText ?? "",
                values: (item["values"]?.items ?? []).compactMap(\.scalarText))
        }
        for expression in expressions where problem == nil {
            switch expression.relation {
            case "In", "NotIn":
                if expression.values.isEmpty {
                    problem = "'\(expression.relation)' of '\(expression.key)' has no values"
                }
            case "Exists", "DoesNotExist":
                if !expression.values.isEmpty {
                    problem = "'\(expression.relation)' of '\(expression.key)' takes no values"
                }
            default:
                problem = "unknown operator '\(expression.relation)': use In, NotIn, Exists or DoesNotExist"
            }
            if expression.key.isEmpty { problem = "an expression has no key" }
        }
        for pair in selector.pairs ?? [] where !["matchLabels", "matchExpressions"].contains(pair.key) {
            problem = "unknown field '\(pair.key)': use matchLabels and matchExpressions"
        }
    }

    package func matches(_ labels: [String: String]) -> Bool {
        guard problem == nil, self.labels.allSatisfy({ labels[$0.key] == $0.value }) else { return false }
        return expressions.allSatisfy { expression in
            let value = labels[expression.key]
            return switch expression.relation {
            case "In": value.map(expression.values.contains) ?? false
            case "NotIn": !(value.map(expression.values.contains) ?? false)
            case "Exists": value != nil
            default: value == nil
            }
        }
    }
}
