/// A kind of object and where the API has it.
package struct ResourceKind: Sendable, Hashable {
    /// Empty for the core group.
    package let group: String
    package let version: String
    /// As in paths: lower case, plural.
    package let plural: String
    /// As in objects.
    package let kind: String
    package let isNamespaced: Bool

    package init(_ group: String, _ version: String, plural: String, kind: String, isNamespaced: Bool = true) {
        self.group = group
        self.version = version
        self.plural = plural
        self.kind = kind
        self.isNamespaced = isNamespaced
    }

    /// `apps/v1`, `v1`.
    package var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }

    /// `/apis/apps/v1`, `/api/v1`.
    var root: String { group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)" }

    package static let pod = ResourceKind("", "v1", plural: "pods", kind: "Pod")
    package static let job = ResourceKind("batch", "v1", plural: "jobs", kind: "Job")
    package static let secret = ResourceKind("", "v1", plural: "secrets", kind: "Secret")
    package static let configMap = ResourceKind("", "v1", plural: "configmaps", kind: "ConfigMap")
    package static let namespace = ResourceKind(
        "", "v1", plural: "namespaces", kind: "Namespace", isNamespaced: false)
}

/// Where one object is, or all of a kind.
package struct ResourcePath: Sendable, Hashable {
    package let kind: ResourceKind
    /// `nil` for objects of the whole cluster, and for a kind's objects in all namespaces.
    package var namespace: String?
    package var name: String?

    package init(_ kind: ResourceKind, namespace: String? = nil, name: String? = nil) {
        self.kind = kind
        self.namespace = kind.isNamespaced ? namespace : nil
        self.name = name
    }

    /// All objects beside it.
    var collection: ResourcePath { ResourcePath(kind, namespace: namespace) }

    /// What of a list is meant: the one object that is named.
    var selection: [(String, String)] { name.map { [("fieldSelector", "metadata.name=\($0)")] } ?? [] }

    /// For messages: `Deployment shop/api`.
    package var shown: String {
        let place = [namespace, name].compactMap { $0 }.joined(separator: "/")
        return place.isEmpty ? kind.plural : "\(kind.kind) \(place)"
    }
}
