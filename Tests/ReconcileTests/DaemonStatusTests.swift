import Agent
import AgentFakes
import Builder
import Git
import Logging
import OCI
import RegistryPoller
import TestSupport
import Testing

/// What is told of the running agent: states, and the log.
@Suite(.tags(.unit)) struct DaemonStatusTests {
    @Test func `states have the time since when they hold`() async throws {
        let world = try await DaemonWorld("shop")
        let host = world.host("shop")
        let start = world.clock.now
        host.commit([
            ".slipway.yaml": World.builds(("web", "v{build.number}")), "web/Dockerfile": "FROM scratch",
            "deploy/db.yaml": World.deployment("db", image: "acme/db:1.0.0"),
        ])
        world.registry.push("acme/db", "1.1.0")
        let gate = Gate()
        world.builder.onBuild(of: "web") { _ in _ = await gate.pass() }
        try await world.begin()
        func states() throws -> [String] {
            let status = try world.status("shop")
            return [status.state.rawValue, "since \(status.since - start)"]
        }
        #expect(try states() == ["building", "since 0"])
        try await world.nextLook()
        #expect(try states() == ["building", "since 0"])
        await gate.open()
        try await world.until("the build is over") { try world.status("shop").state != .building }
        try await world.idle()
        #expect(try states() == ["ok", "since 40"])
        #expect(try world.status("shop").lastCommit?.commit == host.head()?.id.description)

        try await world.nextLook()
        host.revertHead()
        try await world.nextLook()
        #expect(try states() == ["held", "since 120"])

        host.fail("fetch", with: GitError(.network, "the git server cannot be reached"))
        try await world.nextLook()
        #expect(try states() == ["failing", "since 160"])
        #expect(try world.status("shop").lastCycle == start + 160)
        #expect(try world.status("shop").lastSuccess == start + 120)
        try await world.nextLook()
        #expect(try states() == ["held", "since 200"])

        host.commit(["web/main.c": "int main() {}"])
        world.builder.onBuild(of: "web") { _ throws(BuildError) in throw BuildError(.step, "exit code 7") }
        try await world.idle()
        world.clock.advance(by: 40)
        try await world.until("the build has failed") { try world.status("shop").state == .stalled }
        try await world.idle()
        #expect(try states() == ["stalled", "since 240"])
    }

    @Test func `an idle cycle says nothing, and a decision is logged once`() async throws {
        let world = try await DaemonWorld("shop")
        world.registry.push("acme/db", "1.0.0")
        world.host("shop").commit([
            ".slipway.yaml": World.builds(("web", "v{build.number}")), "web/Dockerfile": "FROM scratch",
            "deploy/db.yaml": World.deployment("db", image: "acme/db:1.0.0"),
        ])
        try await world.begin()
        try await world.until("the build is over") { try world.status("shop").state == .ok }
        try await world.idle()
        #expect(world.log.lines.contains { $0.contains("Building registry.example.com/acme/web:v1") })
        #expect(
            world.log.lines.contains { $0.hasPrefix("info decided") && $0.contains("was made from the same content") })
        #expect(world.log.lines.allSatisfy { $0.contains("repository=shop") })
        world.log.clear()
        for _ in 1...5 { try await world.nextLook() }
        #expect(world.log.lines.isEmpty)

        world.registry.push("acme/db", "1.1.0")
        try await world.nextLook()
        #expect(world.log.lines.contains { $0.contains("acme/db:1.0.0 -> acme/db:1.1.0") }, "\(world.log.lines)")
        #expect(world.log.lines.contains { $0.hasPrefix("info Commit pushed") })
        try await world.nextLook()
        world.log.clear()
        try await world.nextLook()
        #expect(world.log.lines.isEmpty)
    }

    @Test func `a cycle that somebody asks for is logged, and a plan is not`() async throws {
        let world = try await DaemonWorld("shop")
        world.host("shop").commit(["deploy/db.yaml": World.deployment("db", image: "acme/db:1.0.0")])
        world.registry.push("acme/db", "1.0.0")
        try await world.begin()
        world.registry.push("acme/db", "1.1.0")
        world.log.clear()
        let said = LogCollector()
        let plan = try await world.loop.run(CycleRequest(repositories: ["shop"]), .plan) {
            said.logger.info("\($0.text)")
        }
        #expect(plan.map(\.updates.count) == [1])
        // Who was asked for what, and nothing of what a plan only looks at.
        #expect(world.log.lines == ["info asked for repository=shop request=plan"])
        #expect(try world.report("shop").updates.isEmpty)
        let sync = try await world.loop.run(CycleRequest(repositories: ["shop"]), .complete) {
            said.logger.info("\($0.text)")
        }
        #expect(sync.map(\.commits.count) == [1])
        #expect(world.log.lines.contains { $0.hasPrefix("info Commit pushed") })
        #expect(said.lines.contains { $0.hasPrefix("info Commit pushed") })
        #expect(try world.status("shop").lastCommit?.commit == world.host("shop").head()?.id.description)
    }

    @Test func `an outage is logged when it begins and when it ends, and nothing is decided again`() async throws {
        let world = try await DaemonWorld("shop")
        let host = world.host("shop")
        world.registry.push("acme/db", "1.0.0")
        host.commit(["deploy/db.yaml": World.deployment("db", image: "acme/db:1.0.0")])
        try await world.begin()
        world.log.clear()
        for _ in 1...3 {
            host.fail("fetch", with: GitError(.network, "the git server cannot be reached"))
        }
        try await world.nextLook()
        for _ in 1...3 { try await world.trigger("shop") }
        #expect(
            world.log.lines.map { $0.split(separator: " ").prefix(2).joined(separator: " ") } == [
                "error failed", "notice recovered",
            ])
        #expect(world.log.lines.first?.contains("error=the git server cannot be reached") == true)
        #expect(world.log.lines.first?.contains("phase=sync") == true)
    }

    @Test func `a registry that is away is no fault of the repository's`() async throws {
        let world = try await DaemonWorld("shop")
        world.host("shop").commit(["deploy/db.yaml": World.deployment("db", image: "acme/db:1.0.0")])
        world.registry.push("acme/db", "1.1.0")
        world.registry.fail("acme/db", with: PollError(.list, "the tags cannot be listed", isTransient: true))
        try await world.begin()
        #expect(try world.status("shop").state == .failing)
        #expect(try world.status("shop").failures.map(\.phase) == [.scan])
        // Git is not asked less often for it.
        #expect(try world.status("shop").nextAttempt == world.clock.now + DaemonWorld.interval)
        world.registry.fail("acme/db", with: nil)
        try await world.nextLook()
        #expect(try world.status("shop").state == .ok)
        #expect(world.host("shop").text("deploy/db.yaml")?.contains("acme/db:1.1.0") == true)
    }

    @Test func `the status is a list with the last cycle in it, also while something is built`() async throws {
        let world = try await DaemonWorld("blog", "shop")
        world.host("blog").commit(["README": "1"])
        world.host("shop").commit([
            ".slipway.yaml": World.builds(("web", "v{build.number}")), "web/Dockerfile": "FROM scratch",
        ])
        let gate = Gate()
        world.builder.onBuild(of: "web") { _ in _ = await gate.pass() }
        try await world.begin()
        let json = try Self.json(of: world.health)
        #expect(json.hasPrefix("[{\"branch\":\"main\""))
        #expect(json.contains("\"pending\":[{\"isOutdated\":false,\"pipeline\":\"web\"}]"))
        #expect(json.contains("\"state\":\"building\""))
        await gate.open()
        try await world.until("the build is over") { try world.status("shop").state == .ok }
        try await world.idle()
        for _ in 1...2 { try await world.nextLook() }
        // Looks that find nothing new forget nothing.
        #expect(try Self.json(of: world.health).contains("registry.example.com/acme/web:v1"))
    }

    private static func json(of health: AgentHealth) throws -> String {
        String(decoding: try CanonicalJSON.encode(health.statuses), as: UTF8.self)
    }
}
