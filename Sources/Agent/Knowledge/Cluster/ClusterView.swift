import Cluster
import Diagnostics

/// Tells what a cluster runs.
protocol WorkloadObserving: Sendable {
    func workloads() async throws(ClusterError) -> [RunningWorkload]
}

/// By the cluster's API, in all namespaces.
struct ClusterWorkloads: WorkloadObserving {
    let client: ClusterClient

    static func open(_ settings: AgentConfiguration.ClusterSettings) throws(AgentError) -> any WorkloadObserving {
        ClusterWorkloads(client: ClusterClient(try settings.endpoint(for: "to look at"), userAgent: Version.userAgent))
    }

    private static let kinds = [
        ResourceKind("apps", "v1", plural: "deployments", kind: "Deployment"),
        ResourceKind("apps", "v1", plural: "statefulsets", kind: "StatefulSet"),
        ResourceKind("apps", "v1", plural: "daemonsets", kind: "DaemonSet"),
    ]

    func workloads() async throws(ClusterError) -> [RunningWorkload] {
        var found: [RunningWorkload] = []
        for kind in Self.kinds {
            let (objects, _) = try await client.list(ResourcePath(kind))
            found += objects.compactMap { RunningWorkload(kind.kind, $0) }
        }
        return found
    }
}

/// What the configuration's cluster runs, by the last look at it. Who asks never waits: a look that is due begins, and the next one who asks
/// gets its answer.
actor ClusterView {
    private let open: @Sendable (AgentConfiguration.ClusterSettings) throws(AgentError) -> any WorkloadObserving
    private let clock: any AgentClock
    private var settings: AgentConfiguration.ClusterSettings?
    private var observer: (any WorkloadObserving)?
    private var last = RunningWorkloads()
    /// When the last look began, in seconds since 1970.
    private var begun: Int64 = 0
    private(set) var look: Task<Void, Never>?

    /// In seconds.
    private static let age: Int64 = 10

    init(
        clock: any AgentClock = SystemClock(),
        open: @escaping @Sendable (AgentConfiguration.ClusterSettings) throws(AgentError) -> any WorkloadObserving =
            ClusterWorkloads.open
    ) {
        self.clock = clock
        self.open = open
    }

    /// - Parameter settings: of the configuration that holds now.
    func latest(of settings: AgentConfiguration.ClusterSettings) -> RunningWorkloads {
        if settings != self.settings {
            (self.settings, observer, last, begun) = (settings, nil, RunningWorkloads(), 0)
            do throws(AgentError) { observer = try open(settings) } catch { last.problem = Self.text(error) }
        }
        if let observer, look == nil, clock.now - begun >= Self.age || clock.now < begun {
            begun = clock.now
            look = Task { await self.look(by: observer, settings) }
        }
        return last
    }

    private func look(by observer: any WorkloadObserving, _ settings: AgentConfiguration.ClusterSettings) async {
        let found: Result<[RunningWorkload], ClusterError>
        do throws(ClusterError) { found = .success(try await observer.workloads()) } catch { found = .failure(error) }
        look = nil
        // Another cluster is meant since.
        guard settings == self.settings else { return }
        switch found {
        case .success(let workloads):
            last.at = clock.now
            last.workloads = workloads
            last.problem = nil
        case .failure(let error): last.problem = Self.text(error)
        }
    }

    private static func text(_ error: some Diagnostic) -> String {
        error.summary + (error.cause.map { ": \($0)" } ?? "") + (error.hint.map { ". \($0)" } ?? "")
    }
}
