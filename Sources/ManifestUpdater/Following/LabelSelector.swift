/// Kubernetes' `LabelSelector`: all of its requirements must hold.
///
/// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/label-selector/
package struct LabelSelector: Hashable, Sendable {
    package struct Invalid: Error {
        package let reason: String
    }

    private enum Requirement: Hashable {
        case isIn([String])
        case isNotIn([String])
        case exists
        case doesNotExist
    }

    private struct Condition: Hashable {
        let key: String
        let requirement: Requirement
    }

    private var conditions: [Condition] = []

    package init(_ value: ObjectValue) throws(Invalid) {
        guard case .mapping(let fields) = value else { throw Invalid(reason: "it is no mapping") }
        if let other = fields.keys.sorted().first(where: { $0 != "matchLabels" && $0 != "matchExpressions" }) {
            throw Invalid(reason: "'\(other.prefix(40))' is neither matchLabels nor matchExpressions")
        }
        for (key, text) in (fields["matchLabels"]?.texts ?? [:]).sorted(by: { $0.key < $1.key }) {
            conditions.append(Condition(key: key, requirement: .isIn([text])))
        }
        for expression in fields["matchExpressions"]?.items ?? [] {
            guard let key = expression["key"]?.string else { throw Invalid(reason: "an expression names no key") }
            let values = (expression["values"]?.items ?? []).compactMap(\.string)
            let requirement: Requirement
            switch expression["operator"]?.string {
            case "In" where !values.isEmpty: requirement = .isIn(values)
            case "NotIn" where !values.isEmpty: requirement = .isNotIn(values)
            case "Exists" where values.isEmpty: requirement = .exists
            case "DoesNotExist" where values.isEmpty: requirement = .doesNotExist
            default:
                throw Invalid(reason: "the expression for '\(key.prefix(63))' has no valid operator and values")
            }
            conditions.append(Condition(key: key, requirement: requirement))
        }
    }

    package func matches(_ labels: [String: String]) -> Bool {
        conditions.allSatisfy { condition in
            let value = labels[condition.key]
            switch condition.requirement {
            case .isIn(let values): return value.map(values.contains) ?? false
            case .isNotIn(let values): return !(value.map(values.contains) ?? false)
            case .exists: return value != nil
            case .doesNotExist: return value == nil
            }
        }
    }
}
