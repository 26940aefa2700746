package import Cluster
package import JSON

/// Where Events go. `ClusterEvents` is the real one; tests have one in memory.
package protocol EventKeeping: Sendable {
    /// An object of the pod's namespace; `nil`: there is none.
    func find(_ kind: ResourceKind, _ name: String, in namespace: String) async throws(ClusterError) -> JSONValue?
    func create(_ event: JSONValue, in namespace: String) async throws(ClusterError)
    /// Says that an Event that is there happened again.
    ///
    /// - Throws: `notFound` where the API server has deleted it meanwhile.
    func count(_ series: JSONValue, of name: String, in namespace: String) async throws(ClusterError)
}

/// The Events of a cluster.
package struct ClusterEvents: EventKeeping {
    private let client: ClusterClient

    package static let kind = ResourceKind("events.k8s.io", "v1", plural: "events", kind: "Event")

    package init(_ client: ClusterClient) { self.client = client }

    package func find(
        _ kind: ResourceKind, _ name: String, in namespace: String
    ) async throws(ClusterError) -> JSONValue? {
        try await client.find(ResourcePath(kind, namespace: namespace, name: name))
    }

    package func create(_ event: JSONValue, in namespace: String) async throws(ClusterError) {
        _ = try await client.create(event, at: ResourcePath(Self.kind, namespace: namespace))
    }

    package func count(_ series: JSONValue, of name: String, in namespace: String) async throws(ClusterError) {
        _ = try await client.merge(["series": series], at: ResourcePath(Self.kind, namespace: namespace, name: name))
    }
}
