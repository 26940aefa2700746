/// In which order objects are applied, so that what others need is there before them, and in reverse for deleting.
package enum ApplyOrder {
    /// Those that the API itself needs for others: it is waited for them before the rest.
    package static func isFoundation(_ object: ManifestObject) -> Bool {
        switch (object.group, object.kind) {
        case ("", "Namespace"), ("apiextensions.k8s.io", "CustomResourceDefinition"): true
        default: false
        }
    }

    private static let ranks: [String: Int] = {
        let kinds = [
            "Namespace", "CustomResourceDefinition", "PriorityClass", "StorageClass", "ResourceQuota", "LimitRange",
            "PodDisruptionBudget", "ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding",
            "ConfigMap", "Secret", "PersistentVolume", "PersistentVolumeClaim", "NetworkPolicy", "Service",
        ]
        return Dictionary(uniqueKeysWithValues: zip(kinds, kinds.indices))
    }()

    /// What refuses or changes other objects comes when they are there.
    private static let last: Set<String> = [
        "APIService", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration",
        "ValidatingAdmissionPolicyBinding",
    ]

    package static func rank(of kind: String) -> Int {
        ranks[kind] ?? (last.contains(kind) ? ranks.count + 1 : ranks.count)
    }

    /// Of one rank, the order in the files stays.
    package static func sorted(_ objects: [ManifestObject]) -> [ManifestObject] {
        objects.enumerated().sorted {
            (rank(of: $0.element.kind), $0.offset) < (rank(of: $1.element.kind), $1.offset)
        }.map(\.element)
    }
}
