import ManifestUpdater

/// Flux v2's objects of a revision in their final form: as Kustomize and Flux apply them, as far as the repository tells.
package struct FluxInventory: Sendable {
    /// An object in its final form.
    struct Finished: Sendable, Hashable {
        let object: FluxObject
        /// What is applied together: objects of one cluster have the same number.
        let cluster: Int
        /// The kustomizations and patches that changed it.
        let changedBy: [String]
        /// Why nobody knows its final form.
        let unknown: String?

        /// Where it is written, and what changes it.
        var place: String {
            "\(object.location)" + (changedBy.isEmpty ? "" : ", changed by \(changedBy.joined(separator: ", "))")
        }

        func saysTheSame(as other: Finished) -> Bool {
            object.spec == other.object.spec && object.labels == other.object.labels && unknown == other.unknown
        }
    }

    private struct Key: Hashable {
        let kind: FluxObject.Kind
        let name: String
    }

    private var objects: [Key: [Finished]] = [:]
    /// The automations, in the order in which they have their turn.
    private(set) var automations: [Finished] = []
    private(set) var hasPolicies = false

    package init() {}

    init(_ finished: [Finished]) {
        var seen: Set<Finished> = []
        for one in finished where seen.insert(one).inserted {
            objects[Key(kind: one.object.kind, name: one.object.name), default: []].append(one)
            if one.object.kind == .imagePolicy { hasPolicies = true }
            if one.object.kind == .imageUpdateAutomation { automations.append(one) }
        }
        automations.sort {
            ($0.object.namespace ?? "", $0.object.name, $0.cluster)
                < ($1.object.namespace ?? "", $1.object.name, $1.cluster)
        }
    }

    /// What became of a search.
    enum Search {
        case missing
        case found(Finished)
        /// It is there, and nobody knows which form of it counts.
        case unknown(String)
    }

    /// The object that a name means, for what is applied to a cluster.
    ///
    /// An object that says its namespace goes before one that says none, which may be of any. Where the cluster has none, or is not
    /// known, all others have to say the same.
    func search(
        _ kind: FluxObject.Kind, _ name: String, in namespace: String, of cluster: Int?
    ) -> Search {
        var found = (objects[Key(kind: kind, name: name)] ?? []).filter {
            ($0.object.namespace ?? namespace) == namespace
        }
        if found.contains(where: { $0.cluster == cluster }) { found.removeAll { $0.cluster != cluster } }
        if found.contains(where: { $0.object.namespace != nil }) { found.removeAll { $0.object.namespace == nil } }
        guard let first = found.first else { return .missing }
        if let other = found.first(where: { !$0.saysTheSame(as: first) }) {
            return .unknown(
                "\(kind.rawValue) \(namespace):\(name) is not the same everywhere: \(first.place); \(other.place)")
        }
        if let unknown = first.unknown {
            return .unknown("the final form of the \(kind.rawValue) \(namespace):\(name) is not known: \(unknown)")
        }
        return .found(first)
    }
}
