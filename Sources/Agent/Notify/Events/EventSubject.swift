import Cluster
import JSON

/// The pod in which the agent runs.
package struct AgentPod: Sendable, Equatable {
    package let name: String
    package let namespace: String

    /// - Returns: `nil` where the downward API does not name the pod.
    package init?(_ environment: PodEnvironment) {
        guard let name = environment.name, let namespace = environment.namespace else { return nil }
        self.name = name
        self.namespace = namespace
    }
}

/// The object that Events are about: the Deployment that owns the agent's ReplicaSet and so its pod, or as much of that chain as may
/// be read.
actor EventSubject {
    private let cluster: any EventKeeping
    private let pod: AgentPod
    private let log: EventLog
    private var found: JSONValue?

    private static let replicaSet = ResourceKind("apps", "v1", plural: "replicasets", kind: "ReplicaSet")

    init(_ cluster: any EventKeeping, of pod: AgentPod, log: EventLog) {
        self.cluster = cluster
        self.pod = pod
        self.log = log
    }

    /// An `ObjectReference` (core/v1).
    func reference() async throws(ClusterError) -> JSONValue {
        if let found { return found }
        let (reference, isWhole) = try await look()
        // Rights that are granted later are used later.
        if isWhole { found = reference }
        return reference
    }

    /// - Returns: `isWhole`: whether all was read that there is.
    private func look() async throws(ClusterError) -> (reference: JSONValue, isWhole: Bool) {
        let own = try await readable(.pod, pod.name)
        let itself: JSONValue = [
            "apiVersion": "v1", "kind": "Pod", "namespace": .string(pod.namespace), "name": .string(pod.name),
            "uid": own?["metadata"]["uid"] ?? .null,
        ]
        guard let own else { return (itself, false) }
        guard let owner = Self.controller(of: own) else { return (itself, true) }
        guard owner["kind"].text == "ReplicaSet", let name = owner["name"].text else { return (reference(owner), true) }
        guard let set = try await readable(Self.replicaSet, name) else { return (reference(owner), false) }
        return (reference(Self.controller(of: set) ?? owner), true)
    }

    /// - Returns: `nil` where it is not there, or must not be read.
    private func readable(_ kind: ResourceKind, _ name: String) async throws(ClusterError) -> JSONValue? {
        do throws(ClusterError) { return try await cluster.find(kind, name, in: pod.namespace) } catch {
            guard error.code == .forbidden else { throw error }
            log.failed(error, "get", kind.plural, in: pod.namespace)
            return nil
        }
    }

    private static func controller(of object: JSONValue) -> JSONValue? {
        object["metadata"]["ownerReferences"].items.first { $0["controller"].isTrue }
    }

    private func reference(_ owner: JSONValue) -> JSONValue {
        [
            "apiVersion": owner["apiVersion"], "kind": owner["kind"], "namespace": .string(pod.namespace),
            "name": owner["name"], "uid": owner["uid"],
        ]
    }
}
