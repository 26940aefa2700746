/// Where the Lease is. `ClusterLease` is the real one; tests have one in memory.
package protocol LeaseKeeping: Sendable {
    /// `nil`: there is none.
    func read() async throws(ClusterError) -> Lease?
    /// - Throws: `conflict` where another one made it meanwhile.
    func create(_ lease: Lease) async throws(ClusterError) -> Lease
    /// - Throws: `conflict` where it is not the version any more that was read.
    func replace(_ lease: Lease) async throws(ClusterError) -> Lease
    /// One that nobody holds.
    var blank: Lease { get }
    /// For messages: `Lease slipway/slipway`.
    var shown: String { get }
}

/// The Lease in a cluster.
package struct ClusterLease: LeaseKeeping {
    private let client: ClusterClient
    private let path: ResourcePath

    static let kind = ResourceKind("coordination.k8s.io", "v1", plural: "leases", kind: "Lease")

    /// - Parameter client: for this alone, so that nothing else takes its turn; each request is sent once, because the next
    ///   attempt comes soon enough.
    package init(
        _ endpoint: ClusterEndpoint, namespace: String, name: String, userAgent: String, timing: ElectionTiming
    ) {
        client = ClusterClient(
            endpoint, userAgent: userAgent,
            patience: .init(attempts: 1, seconds: max(1, Int(timing.renewDeadline.components.seconds / 2))))
        path = ResourcePath(Self.kind, namespace: namespace, name: name)
    }

    package func read() async throws(ClusterError) -> Lease? { try await client.find(path).map(Lease.init) }
    package func create(_ lease: Lease) async throws(ClusterError) -> Lease {
        Lease(try await client.create(lease.object, at: path))
    }
    package func replace(_ lease: Lease) async throws(ClusterError) -> Lease {
        Lease(try await client.replace(lease.object, at: path))
    }
    package var blank: Lease { Lease(at: path) }
    package var shown: String { path.shown }
}
