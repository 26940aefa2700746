import Agent
import AgentFakes
import Builder
import TestSupport
import Testing

/// What a person switches off stays off, over restarts too; and a build that a person stops does not come back by itself.
@Suite(.tags(.unit)) struct DaemonPauseTests {
    private static func world(over last: DaemonWorld? = nil) async throws -> DaemonWorld {
        let world = try await DaemonWorld("shop", "other", over: last)
        world.registry.push("acme/db", "1.0.0")
        for name in ["shop", "other"] {
            world.host(name).commit(["db.yaml": World.deployment("db", image: "acme/db:1.0.0")])
        }
        return world
    }

    private static func runs(_ version: String, _ world: DaemonWorld, _ name: String) -> Bool {
        world.host(name).text("db.yaml")?.contains("image: acme/db:\(version)") == true
    }

    @Test func `a repository that is paused is left alone, and the others are not`() async throws {
        let world = try await Self.world()
        try await world.begin()
        let answer = try await world.loop.pause("shop", PauseRequest(user: "ann", message: "freeze"))
        #expect(answer.paused == RepositoryPause(since: world.clock.now, user: "ann", message: "freeze"))
        #expect(!answer.wasPaused)
        #expect(try world.status("shop").nextAttempt == nil)
        let overview = await world.loop.overview()
        #expect(try overview.status(of: "shop").state == .paused)
        #expect(try overview.status(of: "other").state == .ok)

        world.registry.push("acme/db", "1.1.0")
        world.clock.advance(by: DaemonWorld.interval)
        try await world.until("the other is looked at") { Self.runs("1.1.0", world, "other") }
        await world.loop.trigger("shop")
        #expect(Self.runs("1.0.0", world, "shop"))

        #expect(try await world.loop.resume("shop").wasPaused)
        try await world.until("what was missed is done") { Self.runs("1.1.0", world, "shop") }
        try await world.idle()
        #expect(try await world.loop.overview().status(of: "shop").state == .ok)
        #expect(try await !world.loop.resume("shop").wasPaused)
    }

    @Test func `a pause outlives the agent`() async throws {
        let first = try await Self.world()
        try await first.begin()
        _ = try await first.loop.pause("shop", PauseRequest(message: "freeze"))
        await first.loop.stop()

        let second = try await Self.world(over: first)
        second.registry.push("acme/db", "1.1.0")
        await second.loop.begin()
        try await second.until("the other is looked at") { Self.runs("1.1.0", second, "other") }
        // Nobody waits for a repository that nobody looks at.
        try await second.until("the agent is ready") { second.health.readiness.isReady }
        #expect(Self.runs("1.0.0", second, "shop"))
        #expect(try await second.loop.overview().status(of: "shop").paused?.message == "freeze")
        _ = try await second.loop.resume("shop")
        try await second.until("it goes on") { Self.runs("1.1.0", second, "shop") }
        try await second.idle()
    }

    @Test func `a sync of a repository that is paused is refused, and one of all passes it over`() async throws {
        let world = try await Self.world()
        try await world.begin()
        _ = try await world.loop.pause("shop", PauseRequest(user: "ann"))
        let error = try await #require(throws: ControlError.self) {
            try await world.loop.run(CycleRequest(repositories: ["shop"]), .complete) { _ in }
        }
        #expect(error.code == .paused)
        #expect(error.summary.contains("ann"))
        let reports = try await world.loop.run(CycleRequest(repositories: []), .complete) { _ in }
        #expect(reports.map(\.repository) == ["other"])
        #expect(try await world.loop.run(CycleRequest(repositories: ["shop"]), .plan) { _ in }.count == 1)
        await #expect(throws: ControlError.self) { try await world.loop.pause("nobody", PauseRequest()) }
    }

    @Test func `a build that a person stops is not begun again before somebody retries it`() async throws {
        let world = try await DaemonWorld("shop")
        world.host("shop").commit([
            ".slipway.yaml": World.builds(("web", "v{build.number}")), "web/Dockerfile": "FROM scratch",
        ])
        let gate = Gate()
        world.builder.onBuild(of: "web") { (_) throws(BuildError) in
            if await !gate.pass() { throw BuildError(.cancelled, "the build was cancelled") }
        }
        try await world.begin()
        try await world.until("the build is under way") { await gate.entered == 1 }
        let build = try #require(await world.loop.builds(of: "shop", limit: 1, olderThan: nil).first)
        #expect(try await world.loop.stopBuild(build.id) == StopAnswer(repository: "shop", pipeline: "web"))
        try await world.until("the repository is stalled") { try world.status("shop").state == .stalled }
        try await world.idle()
        #expect(try world.status("shop").failures.first?.message.contains("a person stopped the build") == true)
        #expect(try await world.loop.build(build.id).state == .cancelled)
        let again = try await #require(throws: ControlError.self) { try await world.loop.stopBuild(build.id) }
        #expect(again.code == .buildIsOver)

        try await world.nextLook()
        #expect(world.builder.built == ["web"])
        world.builder.onBuild(of: "web", nil)
        #expect(try await world.loop.retry(RetryRequest(repository: "shop")).hadFailed)
        try await world.until("it is built") { world.builder.built == ["web", "web"] }
        try await world.idle()
    }
}
