import Agent
import AgentFakes
import Builder
import Git
import ManifestUpdater
import TestSupport
import Testing

/// What the status knows after a restart, and what it tells of failures that last.
@Suite(.tags(.unit)) struct DaemonMemoryTests {
    private static let away = GitError(.network, "the git server cannot be reached")

    private static func world(over last: DaemonWorld? = nil) async throws -> DaemonWorld {
        let world = try await DaemonWorld("shop", over: last)
        world.host("shop").commit([
            ".slipway.yaml": World.builds(("web", "v{build.number}")), "web/Dockerfile": "FROM scratch",
            "deploy/web.yaml": World.deployment(
                "web", image: "registry.example.com/acme/web:v0", policy: "glob:v*"),
        ])
        return world
    }

    private static func done(_ world: DaemonWorld) async throws {
        try await world.begin()
        try await world.until("the image is rolled out") {
            world.host("shop").text("deploy/web.yaml")?.contains("acme/web:v1") == true
                && world.health.statuses.first?.state == .ok
        }
        try await world.idle()
    }

    /// The next process, with a repository that is away.
    private static func next(over world: DaemonWorld) async throws -> DaemonWorld {
        await world.loop.stop()
        let next = try await Self.world(over: world)
        next.clock.advance(by: 10_000)
        for _ in 1...3 { next.host("shop").fail("fetch", with: Self.away) }
        try await next.begin()
        return next
    }

    @Test func `the last commit, the last success and the last images outlive the process`() async throws {
        let world = try await Self.world()
        try await Self.done(world)
        let commit = try #require(try world.status("shop").lastCommit)
        // Looks that find nothing new are successes, too.
        for _ in 1...10 { try await world.nextLook() }
        let success = try #require(try world.status("shop").lastSuccess)

        let next = try await Self.next(over: world)
        try await next.until("the past is known") { try next.status("shop").lastCommit != nil }
        let status = try next.status("shop")
        #expect(status.state == .failing)
        #expect(status.lastCommit == commit)
        #expect(status.lastImages.map(\.references) == [["registry.example.com/acme/web:v1"]])
        #expect(status.lastImages.map(\.pipeline) == ["web"])
        // To a minute: an idle agent does not write at each look.
        let last = try #require(status.lastSuccess)
        #expect((success - 60...success).contains(last))
        #expect(
            next.health.metrics.text.contains(
                "slipway_last_success_timestamp_seconds{repository=\"shop\"} \(Double(last))\n"))
    }

    @Test func `the commit of a command is the last one after a restart`() async throws {
        let world = try await Self.world()
        try await Self.done(world)
        let order = PolicyOrder(PolicyUpdate(add: ["locked": "true"]), workloads: ["shop:deployment/web"])
        let commit = try #require(try await world.loop.edit(EditRequest(repository: "shop", policies: order)).commit)
        try await world.idle()
        let next = try await Self.next(over: world)
        try await next.until("the past is known") { try next.status("shop").lastCommit != nil }
        #expect(try next.status("shop").lastCommit == commit)
    }

    @Test func `a failure that lasts has the time since when, over restarts, too`() async throws {
        let world = try await Self.world()
        try await Self.done(world)
        let success = try #require(try world.status("shop").lastSuccess)
        for _ in 1...5 { world.host("shop").fail("fetch", with: Self.away) }
        try await world.nextLook()
        let since = world.clock.now
        #expect(try world.status("shop").failures.map(\.since) == [since])
        world.clock.advance(by: 100)
        try await world.trigger("shop")
        #expect(try world.status("shop").failures.map(\.since) == [since])
        let metric = "slipway_repository_failing_since_timestamp_seconds{repository=\"shop\"} "
        #expect(world.health.metrics.text.contains(metric + "\(Double(since))\n"))

        let next = try await Self.next(over: world)
        try await next.until("the past is known") { try next.status("shop").lastCommit != nil }
        #expect(try next.status("shop").failures.map(\.since) == [since])
        #expect(try next.status("shop").lastSuccess == success)
        #expect(next.health.readiness.isReady)
        #expect(next.health.readiness.text.hasPrefix("ready; shop: failing since 2023-11-14T22:"))

        // Another failure is another one, and none is none.
        next.host("shop").fail("fetch", with: GitError(.timeout, "the git server says nothing"))
        for _ in 1...3 { try await next.trigger("shop") }
        #expect(try next.status("shop").failures.map(\.since) == [next.clock.now])
        try await next.trigger("shop")
        #expect(try next.status("shop").failures.isEmpty)
        #expect(!next.health.metrics.text.contains(metric))
        #expect(next.health.readiness.text == "ready")
    }
}
