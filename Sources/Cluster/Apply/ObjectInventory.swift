import JSON

/// What was applied for a repository, kept in a ConfigMap: only what it names is ever deleted.
struct ObjectInventory: Sendable, Equatable {
    private(set) var kinds: [ObjectIdentity: String] = [:]

    /// A ConfigMap takes a megabyte.
    static let limit = 8_000

    init() {}

    /// - Parameter versions: of each object's group, since a version is needed to delete it.
    init(_ versions: [ObjectIdentity: String]) { kinds = versions }

    /// - Returns: `nil` for what Slipway did not write: nothing is deleted on its word.
    init?(_ configMap: JSONValue) {
        guard configMap["metadata"]["labels"]["app.kubernetes.io/managed-by"].text == "slipway",
            let text = configMap["data"]["objects"].text, let list = try? JSONReader.read(Array(text.utf8))
        else { return nil }
        for item in list.items {
            guard let kind = item["kind"].text, let name = item["name"].text, let version = item["version"].text else {
                return nil
            }
            kinds[
                ObjectIdentity(
                    group: item["group"].text ?? "", kind: kind, namespace: item["namespace"].text ?? "", name: name)] =
                version
        }
    }

    func configMap(_ name: String, of repository: String) -> JSONValue {
        let list = kinds.keys.sorted().map { identity -> JSONValue in
            [
                "group": .string(identity.group), "version": .string(kinds[identity] ?? ""),
                "kind": .string(identity.kind), "namespace": .string(identity.namespace),
                "name": .string(identity.name),
            ]
        }
        return [
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": [
                "name": .string(name),
                "labels": ["app.kubernetes.io/managed-by": "slipway"],
                "annotations": ["slipway.dev/repository": .string(repository)],
            ],
            "data": ["objects": .string(String(decoding: JSONValue.array(list).encoded, as: UTF8.self))],
        ]
    }
}
