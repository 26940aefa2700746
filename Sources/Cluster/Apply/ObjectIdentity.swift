package import JSON

/// Which object is meant, whatever version of its group is spoken.
package struct ObjectIdentity: Sendable, Hashable, Comparable {
    package let group: String
    package let kind: String
    /// Empty for objects of the whole cluster.
    package let namespace: String
    package let name: String

    package init(group: String, kind: String, namespace: String, name: String) {
        self.group = group
        self.kind = kind
        self.namespace = namespace
        self.name = name
    }

    /// For messages: `Deployment shop/api`, `Widget.example.com shop/one`.
    package var shown: String {
        "\(kind)\(group.contains(".") && !group.hasSuffix(".k8s.io") ? ".\(group)" : "") \(namespace.isEmpty ? name : "\(namespace)/\(name)")"
    }

    package static func < (left: ObjectIdentity, right: ObjectIdentity) -> Bool {
        (left.namespace, left.kind, left.group, left.name) < (right.namespace, right.kind, right.group, right.name)
    }
}

/// An object of a manifest.
package struct ManifestObject: Sendable {
    package let object: JSONValue
    /// `deploy/api.yaml:12`.
    package let place: String

    package init(_ object: JSONValue, place: String) {
        self.object = object
        self.place = place
    }

    /// What an inventory remembers of one.
    init(_ identity: ObjectIdentity, version: String) {
        self.init(
            [
                "apiVersion": .string(identity.group.isEmpty ? version : "\(identity.group)/\(version)"),
                "kind": .string(identity.kind),
                "metadata": [
                    "name": .string(identity.name),
                    "namespace": identity.namespace.isEmpty ? .null : .string(identity.namespace),
                ],
            ], place: "the inventory")
    }

    package var apiVersion: String { object["apiVersion"].text ?? "" }
    package var kind: String { object["kind"].text ?? "" }
    package var name: String { object["metadata"]["name"].text ?? "" }
    package var namespace: String? { object["metadata"]["namespace"].text }
    package var annotations: JSONValue { object["metadata"]["annotations"] }

    /// The part of `apiVersion` before the version; empty for the core group.
    package var group: String {
        apiVersion.firstIndex(of: "/").map { String(apiVersion[..<$0]) } ?? ""
    }

    package var version: String { apiVersion.split(separator: "/").last.map(String.init) ?? "" }

    /// Why it cannot be applied.
    package var problem: String? {
        if apiVersion.isEmpty { return "it has no apiVersion" }
        if kind.isEmpty { return "it has no kind" }
        if !object["metadata"]["generateName"].isNull {
            return "it has generateName, which makes another object each time"
        }
        if name.isEmpty { return "it has no metadata.name" }
        return nil
    }
}
