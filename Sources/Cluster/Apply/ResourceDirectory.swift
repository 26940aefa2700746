import JSON

/// Which kinds an API server knows (discovery), asked for once each; a kind that is not known is asked for again when its definition
/// may have come meanwhile.
package actor ResourceDirectory {
    private let client: ClusterClient
    private var known: [String: [String: ResourceKind]] = [:]
    /// The versions of groups that were asked for since the last ``lookAgain()``.
    private var asked: Set<String> = []

    package init(_ client: ClusterClient) { self.client = client }

    /// What is not known is asked for once more from now on.
    package func lookAgain() { asked = [] }

    /// - Throws: `notFound` for a kind that the server does not know, with what it knows of the group.
    package func kind(of object: ManifestObject) async throws(ClusterError) -> ResourceKind {
        if let found = known[object.apiVersion]?[object.kind] { return found }
        if !asked.contains(object.apiVersion) {
            do {
                known[object.apiVersion] = try await load(object)
            } catch  where error.code == .notFound {
                known[object.apiVersion] = [:]
            }
            asked.insert(object.apiVersion)
        }
        guard let found = known[object.apiVersion]?[object.kind] else {
            throw ClusterError(
                .notFound, "the cluster knows no kind '\(object.kind)' of \(object.apiVersion)", place: object.place,
                hint:
                    "install its CustomResourceDefinition, or write a version that the cluster serves: kubectl api-versions"
            )
        }
        return found
    }

    private func load(_ object: ManifestObject) async throws(ClusterError) -> [String: ResourceKind] {
        let (group, version) = (object.group, object.version)
        let list = try await client.read(group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)")
        var kinds: [String: ResourceKind] = [:]
        for resource in list["resources"].items {
            // Those with a slash are parts of others: `deployments/scale`.
            guard let plural = resource["name"].text, !plural.contains("/"), let kind = resource["kind"].text else {
                continue
            }
            kinds[kind] = ResourceKind(
                group, version, plural: plural, kind: kind, isNamespaced: resource["namespaced"].isTrue)
        }
        return kinds
    }
}
