/// Something that the agent does with the Kubernetes API, and needs rights for.
package enum ClusterFeature: String, Sendable, CaseIterable {
    case apply
    case builds
    case leaderElection = "leader-election"
    case events

    /// What it is good for, as the beginning of a sentence.
    package var title: String {
        switch self {
        case .apply: "applying manifests"
        case .builds: "builds as Jobs"
        case .leaderElection: "leader election"
        case .events: "Events"
        }
    }
}

/// One verb on one resource: a rule's atom in RBAC.
package struct ClusterRight: Sendable, Hashable {
    package let feature: ClusterFeature
    /// Empty for the core group.
    package let group: String
    /// `pods/log` for a subresource.
    package let resource: String
    package let verb: String
    /// Of the one object that is meant; `nil`: any.
    package let name: String?

    package init(
        _ feature: ClusterFeature, _ group: String, _ resource: String, _ verb: String, name: String? = nil
    ) {
        self.feature = feature
        self.group = group
        self.resource = resource
        self.verb = verb
        self.name = name
    }

    /// `create jobs.batch`.
    package var shown: String { "\(verb) \(kind)" }

    /// `jobs.batch`.
    private var kind: String { group.isEmpty ? resource : "\(resource).\(group)" }

    /// The same for several, the verbs of one resource together: `get,list jobs.batch`.
    package static func shown(_ rights: [ClusterRight]) -> [String] {
        var kinds: [String] = []
        for right in rights where !kinds.contains(right.kind) { kinds.append(right.kind) }
        return kinds.map { kind in
            rights.filter { $0.kind == kind }.map(\.verb).joined(separator: ",") + " " + kind
        }
    }

    /// What each feature needs in the namespace where it works. The Roles of config/chart grant exactly this, which a test holds.
    package static let all: [ClusterRight] =
        // The inventory; what is applied depends on the manifests.
        rights(.apply, "", "configmaps", "get", "create", "patch")
        + rights(.builds, "batch", "jobs", "get", "list", "watch", "create", "patch", "delete")
        + rights(.builds, "", "pods", "list", "watch") + rights(.builds, "", "pods/log", "get")
        + rights(.builds, "", "secrets", "create")
        + rights(.leaderElection, "coordination.k8s.io", "leases", "create")
        + rights(.leaderElection, "coordination.k8s.io", "leases", "get", "update", name: "slipway")
        + rights(.events, "events.k8s.io", "events", "create", "patch")
        + rights(.events, "", "pods", "get") + rights(.events, "apps", "replicasets", "get")

    private static func rights(
        _ feature: ClusterFeature, _ group: String, _ resource: String, _ verbs: String..., name: String? = nil
    ) -> [ClusterRight] {
        verbs.map { ClusterRight(feature, group, resource, $0, name: name) }
    }
}
