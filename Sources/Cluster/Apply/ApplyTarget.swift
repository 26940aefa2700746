/// Where a repository's objects go.
package struct ApplyTarget: Sendable {
    /// For the inventory's annotation.
    package var repository: String
    /// Of objects that name none.
    package var namespace: String
    /// The ConfigMap of what was applied.
    package var inventory: ResourcePath
    package var prunes = true
    /// `system:serviceaccount:NAMESPACE:NAME`
    package var impersonated: String?

    package init(repository: String, namespace: String, inventory: ResourcePath) {
        self.repository = repository
        self.namespace = namespace
        self.inventory = inventory
    }

    /// - Parameter kind: `nil` where the server does not know it yet.
    func identity(of object: ManifestObject, _ kind: ResourceKind?) -> ObjectIdentity {
        ObjectIdentity(
            group: object.group, kind: object.kind,
            namespace: kind?.isNamespaced == false ? "" : object.namespace ?? namespace, name: object.name)
    }

    func path(of object: ManifestObject, _ kind: ResourceKind) -> ResourcePath {
        ResourcePath(kind, namespace: object.namespace ?? namespace, name: object.name)
    }
}
