import AgentFakes
import Cluster
import JSON
import Synchronization
import TestSupport
import Testing

@testable import Agent

/// What the pages tell of a cluster: as its API says it, from the last look, without anybody waiting for one.
@Suite(.tags(.unit)) struct ClusterViewTests {
    /// Answers what a test says.
    private final class FakeCluster: WorkloadObserving {
        private let state = Mutex<(answer: Result<[RunningWorkload], ClusterError>, looks: Int)>((.success([]), 0))

        var looks: Int { state.withLock(\.looks) }
        func answer(_ answer: Result<[RunningWorkload], ClusterError>) { state.withLock { $0.answer = answer } }

        func workloads() async throws(ClusterError) -> [RunningWorkload] {
            try state.withLock { state in
                state.looks += 1
                return state.answer
            }.get()
        }
    }

    private static let web = RunningWorkload(
        id: "shop:deployment/web", containers: [.init(name: "app", image: "acme/shop:v46")], ready: 1, wanted: 2)

    @Test func `an object of the API becomes a workload`() throws {
        let deployment: JSONValue = [
            "metadata": ["name": "web", "namespace": "shop"],
            "spec": [
                "replicas": 2,
                "template": [
                    "spec": [
                        "initContainers": [["name": "migrate", "image": "acme/migrate:v1"]],
                        "containers": [["name": "app", "image": "acme/shop:v46"], ["name": "no image"]],
                    ]
                ],
            ],
            "status": ["readyReplicas": 1],
        ]
        let workload = try #require(RunningWorkload("Deployment", deployment))
        #expect(workload.id == "shop:deployment/web" && workload.ready == 1 && workload.wanted == 2)
        #expect(workload.containers.map(\.image) == ["acme/migrate:v1", "acme/shop:v46"])
        let daemons: JSONValue = [
            "metadata": ["name": "logs"], "status": ["numberReady": 3, "desiredNumberScheduled": 4],
        ]
        let set = try #require(RunningWorkload("DaemonSet", daemons))
        #expect(set.id == "default:daemonset/logs" && set.ready == 3 && set.wanted == 4 && set.containers.isEmpty)
        #expect(RunningWorkload("Deployment", ["metadata": [:]]) == nil)
    }

    @Test func `who asks gets the last look, and a look that is due begins`() async throws {
        let (clock, cluster) = (FakeClock(), FakeCluster())
        cluster.answer(.success([Self.web]))
        let view = ClusterView(clock: clock) { _ in cluster }
        let settings = AgentConfiguration.ClusterSettings()
        #expect(await view.latest(of: settings) == RunningWorkloads())
        await view.look?.value
        let first = await view.latest(of: settings)
        #expect(first.workloads == [Self.web] && first.at == clock.now && first.problem == nil)
        #expect(first.container("app", of: "shop:deployment/web")?.image == "acme/shop:v46")
        #expect(cluster.looks == 1)
        // A cluster that is away takes nothing of what is known.
        clock.advance(by: 60)
        cluster.answer(.failure(ClusterError(.unavailable, "the cluster cannot be reached", hint: "look at it")))
        _ = await view.latest(of: settings)
        await view.look?.value
        let later = await view.latest(of: settings)
        #expect(later.workloads == [Self.web] && later.at == first.at)
        #expect(later.problem == "the cluster cannot be reached. look at it")
    }

    @Test func `another cluster of the configuration is asked, and one that cannot be used is said to be that`() async {
        let cluster = FakeCluster()
        let view = ClusterView(clock: FakeClock()) { (settings) throws(AgentError) in
            guard settings.kubeconfig == nil else { throw AgentError("there is no such file", hint: "write it") }
            return cluster
        }
        var settings = AgentConfiguration.ClusterSettings()
        _ = await view.latest(of: settings)
        await view.look?.value
        #expect(await view.latest(of: settings).at != nil)
        settings.kubeconfig = "/nowhere"
        let broken = await view.latest(of: settings)
        #expect(broken.at == nil && broken.problem == "there is no such file. write it")
        #expect(await view.look == nil)
    }

    @Test func `a cluster is observed where the configuration names one, or applies to it`() {
        var configuration = AgentConfiguration(stateDirectory: "/nowhere")
        #expect(configuration.observedCluster == nil)
        configuration.cluster.isGiven = true
        #expect(configuration.observedCluster != nil)
        configuration.cluster.isGiven = false
        var repository = AgentConfiguration.RepositoryConfiguration(name: "shop", url: "u", branch: "main")
        repository.apply = AgentConfiguration.ApplySettings(paths: ["deploy"])
        configuration.repositories = [repository]
        #expect(configuration.observedCluster != nil)
    }
}
