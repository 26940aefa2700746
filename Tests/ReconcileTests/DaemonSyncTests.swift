import Agent
import AgentFakes
import Builder
import Git
import ManifestUpdater
import Synchronization
import TestSupport
import Testing

/// A sync that somebody asks a running agent for, and edits.
@Suite(.tags(.unit)) struct DaemonSyncTests {
    private static let away = BuildError(.registry, "the registry cannot be reached", isTransient: true)

    /// What a sync says.
    private final class Lines: Sendable {
        private let lines = Mutex<[String]>([])
        var all: [String] { lines.withLock { $0 } }
        func say(_ line: ProgressLine) { lines.withLock { $0.append(line.text) } }
        func count(_ start: String) -> Int { all.count { $0.hasPrefix(start) } }
    }

    private static func image(_ tag: String) -> String { "registry.example.com/acme/web:\(tag)" }

    /// A repository that builds `web` and follows it, and follows `db`, which others build; all of it is done.
    private static func world() async throws -> DaemonWorld {
        let world = try await DaemonWorld("shop")
        world.registry.push("acme/db", "1.0.0")
        world.host("shop").commit([
            ".slipway.yaml": World.builds(("web", "v{build.number}")), "web/Dockerfile": "FROM scratch",
            "deploy/web.yaml": World.deployment("web", image: image("v0"), policy: "glob:v*"),
            "deploy/db.yaml": World.deployment("db", image: "acme/db:1.0.0"),
        ])
        try await world.begin()
        try await world.until("the first image is rolled out") {
            world.host("shop").text("deploy/web.yaml")?.contains(image("v1")) == true
                && world.health.statuses.first?.state == .ok
        }
        try await world.idle()
        return world
    }

    private static func sync(_ world: DaemonWorld, _ lines: Lines = Lines()) async throws -> CycleReport {
        let reports = try await world.loop.run(CycleRequest(repositories: ["shop"]), .complete, say: lines.say)
        return try #require(reports.first)
    }

    @Test func `a sync waits for its build, and the repository's cycles do not`() async throws {
        let world = try await Self.world()
        let gate = Gate()
        world.builder.onBuild(of: "web") { _ in _ = await gate.pass() }
        world.host("shop").commit(["web/main.c": "int main() {}"])
        let lines = Lines()
        let syncing = Task { try await Self.sync(world, lines) }
        try await world.until("the build is under way") { await gate.entered == 1 }
        try await world.until("the status says so") { try world.status("shop").state == .building }

        world.registry.push("acme/db", "1.1.0")
        try await world.nextLook()
        #expect(world.host("shop").text("deploy/db.yaml")?.contains("acme/db:1.1.0") == true)
        #expect(try world.status("shop").state == .building)
        await gate.open()
        let report = try await syncing.value
        try await world.idle()

        #expect(report.failures.isEmpty)
        #expect(report.pending.isEmpty)
        #expect(report.images.map(\.references) == [[Self.image("v2")]])
        // What other cycles did meanwhile counts: who waited is told of all commits.
        #expect(report.updates.map(\.new) == ["acme/db:1.1.0", Self.image("v2")])
        #expect(report.commits.map(\.commit) == [report.commits.first?.commit, report.commit])
        #expect(report.steps.contains { $0.phase == .execute })
        #expect(report.steps.contains { $0.phase == .push })
        #expect(world.host("shop").text("deploy/web.yaml")?.contains(Self.image("v2")) == true)
        #expect(world.builder.built == ["web", "web"])
        #expect(lines.count("Building \(Self.image("v2"))") == 1)
        #expect(lines.count("Pushed \(Self.image("v2"))") == 1)
        #expect(lines.count("Updated deploy/web.yaml") == 1, "\(lines.all)")
        #expect(lines.count("Commit pushed") == 2)
        #expect(lines.count("Synchronizing with") == 1)
    }

    @Test func `a sync with nothing to build is one cycle`() async throws {
        let world = try await Self.world()
        let before = world.host("shop").fetches
        let report = try await Self.sync(world)
        #expect(report.didNothing)
        #expect(world.host("shop").fetches == before + 1)
    }

    @Test func `pipelines that wait for others are built and rolled out by the same sync`() async throws {
        let world = try await Self.world()
        world.host("shop").commit([
            ".slipway.yaml": World.builds(("web", "v{build.number}"), ("top", "v{build.number}")),
            "web/Dockerfile": "FROM scratch AS changed", "top/Dockerfile": "FROM \(Self.image("v2"))",
        ])
        let report = try await Self.sync(world)
        try await world.idle()
        #expect(report.failures.isEmpty)
        #expect(report.images.map(\.pipeline) == ["web", "top"])
        #expect(world.registry.tags("registry.example.com/acme/top") == ["v1"])
    }

    @Test func `a build that fails is told once, in its own words`() async throws {
        let world = try await Self.world()
        world.builder.onBuild(of: "web") { _ throws(BuildError) in
            throw BuildError(.step, "the step failed with exit code 7", place: "web/Dockerfile:2", hint: "look at it")
        }
        world.host("shop").commit(["web/main.c": "int main() {}"])
        let report = try await Self.sync(world)
        #expect(report.failures.map(\.message) == ["web/Dockerfile:2: the step failed with exit code 7"])
        #expect(report.failures.first?.isRemembered == nil)
        #expect(report.failures.first?.hint == "look at it")
        #expect(world.builder.built == ["web", "web"])
    }

    @Test func `a sync tries what the world failed before its time, and once`() async throws {
        let world = try await Self.world()
        world.builder.onBuild(of: "web") { _ throws(BuildError) in throw Self.away }
        world.host("shop").commit(["web/main.c": "int main() {}"])
        try await world.trigger("shop")
        try await world.until("it has failed") { try world.status("shop").failures.first?.attempts == 1 }
        try await world.idle()
        let report = try await Self.sync(world)
        #expect(report.failures.map(\.attempts) == [2])
        #expect(report.pending.isEmpty)
        #expect(world.builder.built.count == 3)
        world.builder.onBuild(of: "web", nil)
        #expect(try await Self.sync(world).images.map(\.references) == [[Self.image("v2")]])
    }

    @Test func `a sync ends with the agent`() async throws {
        let world = try await Self.world()
        let gate = Gate()
        world.builder.onBuild(of: "web") { _ throws(BuildError) in
            guard await gate.pass() else { throw BuildError(.cancelled, "the build was cancelled") }
        }
        world.host("shop").commit(["web/main.c": "int main() {}"])
        let syncing = Task { try await Self.sync(world) }
        try await world.until("the build is under way") { await gate.entered == 1 }
        await world.loop.stop()
        #expect(try await syncing.value.failures.isEmpty == false)
    }

    // MARK: Edits

    private static func lock(_ workload: String) -> EditRequest {
        EditRequest(
            repository: "shop",
            policies: PolicyOrder(PolicyUpdate(add: ["locked": "true"]), workloads: ["shop:deployment/\(workload)"]))
    }

    @Test func `an edit begins a cycle, and one that changes nothing does not`() async throws {
        let world = try await Self.world()
        let cycles = try #require(try world.status("shop").lastCycle)
        world.clock.advance(by: 7)
        let answer = try await world.loop.edit(Self.lock("web"))
        let commit = try #require(answer.commit)
        try await world.until("a cycle has seen the edit") {
            try world.report("shop").revision == commit.commit && world.status("shop").lastCycle == cycles + 7
        }
        try await world.idle()
        #expect(try world.status("shop").lastCommit == commit)
        let before = world.host("shop").fetches
        #expect(try await world.loop.edit(Self.lock("web")).commit == nil)
        try await world.idle()
        // The edit's own look at the branch.
        #expect(world.host("shop").fetches == before + 1)
    }
}
