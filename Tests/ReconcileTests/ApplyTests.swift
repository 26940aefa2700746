import AgentFakes
import Cluster
import Foundation
import Git
import JSON
import Synchronization
import TestSupport
import Testing

@testable import Agent

/// A cluster in memory that notes what it is asked.
private final class InMemoryCluster: ObjectApplying {
    struct State: Sendable {
        var applied: [[String]] = []
        var images: [String] = []
        var targets: [ApplyTarget] = []
        var isComplete: [Bool] = []
        var waited: [Int] = []
        var failing: ClusterError?
        var waiting: String?
    }

    let state = Mutex(State())

    func apply(
        _ objects: [ManifestObject], for target: ApplyTarget, isComplete: Bool
    ) async throws(ClusterError) -> ApplyReport {
        let failing = state.withLock { state in
            state.applied.append(objects.map { "\($0.kind) \($0.name)" })
            state.images += objects.compactMap {
                $0.object["spec"]["template"]["spec"]["containers"].items.first?["image"].text
            }
            state.targets.append(target)
            state.isComplete.append(isComplete)
            return state.failing
        }
        if let failing { throw failing }
        var report = ApplyReport()
        for object in objects {
            report.add(
                ObjectIdentity(group: object.group, kind: object.kind, namespace: "shop", name: object.name),
                object.place,
                .created)
        }
        return report
    }

    func wait(
        for objects: [ManifestObject], of target: ApplyTarget, seconds: Int, into report: inout ApplyReport
    ) async {
        let reason = state.withLock { state in
            state.waited.append(seconds)
            return state.waiting
        }
        guard let reason, let object = objects.first else { return }
        report.isWaiting(
            ObjectIdentity(group: object.group, kind: object.kind, namespace: "shop", name: object.name), reason)
    }
}

@Suite(.tags(.unit)) struct ApplyTests {
    private let cluster = InMemoryCluster()
    private let disk: TemporaryDirectory

    init() throws { disk = try TemporaryDirectory("apply") }

    private func world(_ paths: [String] = ["deploy"]) async throws -> World {
        let world = try await World()
        world.repository.apply = AgentConfiguration.ApplySettings(paths: paths)
        world.apply = .success(ApplyServices(objects: cluster, namespace: "shop", scratch: disk.path))
        return world
    }

    private static let service = "apiVersion: v1\nkind: Service\nmetadata: {name: api}\n"

    @Test func `the agent's own commit is applied in the cycle that makes it`() async throws {
        let world = try await world()
        for tag in ["v1.0.0", "v1.1.0"] { world.registry.push("registry.example.com/acme/api", tag) }
        world.host.commit([
            "deploy/api.yaml": World.deployment("api", image: "registry.example.com/acme/api:v1.0.0"),
            "deploy/service.yaml": Self.service, "src/values.yaml": "a: b\n",
        ])
        let lines = Mutex<[String]>([])
        let report = await world.reconciler().cycle(.complete) { line in lines.withLock { $0.append(line.text) } }
        #expect(report.failures.isEmpty)
        #expect(cluster.state.withLock { $0.images } == ["registry.example.com/acme/api:v1.1.0"])
        #expect(cluster.state.withLock { $0.applied } == [["Deployment api", "Service api"]])
        #expect(report.applied?.map(\.object) == ["Deployment shop/api", "Service shop/api"])
        #expect(cluster.state.withLock { $0.waited } == [300])
        let commit = try #require(report.commit)
        #expect(lines.withLock { $0 }.contains("Waiting for \(commit.prefix(7)) to be applied ..."))
    }

    @Test func `the agent's cycles apply without waiting, and plan applies nothing`() async throws {
        let world = try await world()
        world.host.commit(["deploy/service.yaml": Self.service])
        _ = await world.cycle(.background)
        #expect(cluster.state.withLock { $0.applied.count } == 1)
        #expect(cluster.state.withLock { $0.waited } == [])
        let report = await world.cycle(.plan)
        #expect(cluster.state.withLock { $0.applied.count } == 1)
        #expect(report.reason("apply")?.contains("not by 'plan'") == true)
    }

    @Test func `updates that are turned off stop no applying`() async throws {
        let world = try await world()
        world.repository.updatesManifests = false
        world.host.commit(["deploy/service.yaml": Self.service])
        _ = await world.cycle()
        #expect(cluster.state.withLock { $0.applied } == [["Service api"]])
    }

    @Test func `where a file cannot be read, the others are applied and nothing is deleted`() async throws {
        let world = try await world()
        world.host.commit(["deploy/bad.yaml": "a: [\n", "deploy/service.yaml": Self.service])
        let report = await world.cycle()
        #expect(cluster.state.withLock { $0.isComplete } == [false])
        #expect(cluster.state.withLock { $0.applied } == [["Service api"]])
        #expect(report.failures.contains { $0.phase == .apply && $0.message.contains("deploy/bad.yaml") })
    }

    @Test func `a path that is not there, and an object that is there twice, are told`() async throws {
        let world = try await world(["deploy", "gone"])
        world.host.commit(["deploy/a.yaml": Self.service, "deploy/b.yaml": Self.service])
        let report = await world.cycle()
        let messages = report.failures.map(\.message)
        #expect(messages.contains { $0.contains("nothing to apply at 'gone'") })
        #expect(messages.contains { $0.contains("deploy/b.yaml") && $0.contains("is there twice") })
        #expect(cluster.state.withLock { $0.isComplete } == [false])
    }

    @Test func `lists are their items, other documents are passed over`() async throws {
        let world = try await world([""])
        world.host.commit([
            "all.yaml":
                "kind: List\napiVersion: v1\nitems:\n  - {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n  - {apiVersion: v1, kind: Secret, metadata: {name: b}}\n---\nno: object\n",
            "one.json": #"{"apiVersion":"v1","kind":"Service","metadata":{"name":"c"}}"#,
        ])
        _ = await world.cycle()
        #expect(cluster.state.withLock { $0.applied } == [["ConfigMap a", "Secret b", "Service c"]])
    }

    @Test func `who applies, where, and what is not deleted`() async throws {
        let world = try await world()
        world.repository.apply?.namespace = "front"
        world.repository.apply?.serviceAccount = "deployer"
        world.repository.apply?.prunes = false
        world.host.commit(["deploy/service.yaml": Self.service])
        _ = await world.cycle()
        world.repository.apply?.serviceAccount = "ops/deployer"
        _ = await world.cycle()
        let targets = cluster.state.withLock { $0.targets }
        #expect(targets.map(\.namespace) == ["front", "front"])
        #expect(targets.map(\.prunes) == [false, false])
        #expect(
            targets.map(\.impersonated) == [
                "system:serviceaccount:front:deployer", "system:serviceaccount:ops:deployer",
            ])
        #expect(targets.map(\.inventory.name) == ["slipway-inventory-shop", "slipway-inventory-shop"])
    }

    @Test func `a cluster that is away fails the cycle, and what is not ready is told`() async throws {
        let world = try await world()
        world.host.commit(["deploy/service.yaml": Self.service])
        cluster.state.withLock { $0.waiting = "0 of 1 pods are available" }
        let late = await world.cycle()
        #expect(
            late.failures.contains { $0.message.contains("not ready after 300 seconds: 0 of 1 pods are available") })
        cluster.state.withLock { $0.failing = ClusterError(.unavailable, "cannot get ConfigMap shop/x") }
        let away = await world.cycle()
        #expect(away.failures.contains { $0.phase == .apply && $0.disposition == .retry })
        world.apply = .failure(AgentError("there is no cluster to apply to"))
        let none = await world.cycle()
        #expect(none.failures.contains { $0.message.contains("there is no cluster") })
    }

    @Test func `a kustomization is what kubectl makes of it`() async throws {
        let world = try await world()
        world.host.commit([
            "deploy/kustomization.yaml": "resources: [service.yaml]\nnamePrefix: my-\n",
            "deploy/service.yaml": Self.service, "deploy/other.yaml": Self.service,
        ])
        let report = await world.cycle()
        #expect(report.failures.map(\.message) == [])
        #expect(cluster.state.withLock { $0.applied } == [["Service my-api"]])
        #expect(try FileManager.default.contentsOfDirectory(atPath: disk.path) == [])
    }

    @Test(arguments: [
        "https://github.com/acme/base", "github.com/acme/base", "git@example.com:acme/base.git",
        "ssh://git@example.com/base", "https://example.com/all.yaml", "git::https://example.com/base",
        "example.com/acme/base.git", "../base?ref=main",
    ])
    func `remote bases are refused before kustomize sees them`(_ base: String) async throws {
        let world = try await world()
        world.host.commit(["deploy/kustomization.yaml": "resources: ['\(base)']\n"])
        let report = await world.cycle()
        #expect(report.failures.contains { $0.message.contains("remote base") }, "\(report.failures)")
        #expect(cluster.state.withLock { $0.applied } == [[]])
        #expect(cluster.state.withLock { $0.isComplete } == [false])
    }

    @Test func `files of a revision are read once, those that could not be read again`() async throws {
        let (host, manifests) = (FakeGitHost(), ReadManifests())
        let remote = FakeGitRemote(host)
        func found(programs: String) async throws -> ManifestReader.Found {
            let commit = try await remote.fetch(branch: "main").commit
            let tree = RevisionTree(revision: commit, entries: try await remote.entries(of: commit.id))
            let reader = ManifestReader(
                remote: remote, tree: tree, kustomize: KustomizeProgram(searchPath: programs, scratch: disk.path))
            return await manifests.objects(below: ["deploy"], by: reader)
        }
        let installed = try #require(ProcessInfo.processInfo.environment["PATH"])
        host.commit(["deploy/kustomization.yaml": "resources: [service.yaml]\n", "deploy/service.yaml": Self.service])
        #expect(try await found(programs: "/nonexistent").failures.count == 1)
        #expect(try await found(programs: installed).objects.map(\.name) == ["api"])
        #expect(try await found(programs: "/nonexistent").objects.map(\.name) == ["api"])
        host.commit(["deploy/service.yaml": Self.service + "# changed\n"])
        #expect(try await found(programs: "/nonexistent").failures.count == 1)
        #expect(try await found(programs: installed).failures.isEmpty)
    }
}
