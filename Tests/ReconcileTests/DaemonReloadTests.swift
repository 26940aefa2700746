import Agent
import AgentFakes
import Builder
import TestSupport
import Testing

/// Another configuration, and the end.
@Suite(.tags(.unit)) struct DaemonReloadTests {
    private static func world(_ names: String...) async throws -> DaemonWorld {
        let world =
            switch names.count {
            case 1: try await DaemonWorld(names[0])
            default: try await DaemonWorld(names[0], names[1])
            }
        for name in names { world.host(name).commit(["README": "1"]) }
        return world
    }

    /// A repository that builds `web`, and where a build is under way until the gate opens.
    private static func building(_ gate: Gate) async throws -> DaemonWorld {
        let world = try await DaemonWorld("shop")
        world.host("shop").commit([
            ".slipway.yaml": World.builds(("web", "v{build.number}")), "web/Dockerfile": "FROM scratch",
            "deploy/web.yaml": World.deployment("web", image: "registry.example.com/acme/web:v0", policy: "glob:v*"),
        ])
        world.builder.onBuild(of: "web") { _ throws(BuildError) in
            guard await gate.pass() else { throw BuildError(.cancelled, "the build was cancelled") }
        }
        try await world.begin()
        try await world.until("the build is under way") { await gate.entered == 1 }
        return world
    }

    // MARK: Reload

    @Test func `entries that are added are watched, those that are removed are not any more`() async throws {
        let world = try await Self.world("shop", "blog")
        world.host("wiki").commit(["README": "1"])
        try await world.begin()
        _ = try await world.loop.reload(DaemonWorld.configuration(["shop", "wiki"])) { _ in }
        try await world.idle()
        #expect(world.health.statuses.map(\.repository) == ["shop", "wiki"])
        #expect(world.host("wiki").fetches == 1)
        for _ in 1...2 { try await world.nextLook() }
        #expect(world.host("wiki").fetches == 3)
        #expect(world.host("shop").fetches == 4)
        #expect(world.host("blog").fetches == 1)
        #expect(!world.health.metrics.text.contains("blog"))
        #expect(world.health.metrics.text.contains("slipway_reloads_total{result=\"success\"} 1.0\n"))
        await #expect(throws: ControlError.self) {
            try await world.loop.retry(RetryRequest(repository: "blog"))
        }
    }

    @Test func `an entry that is changed is looked at where it says now`() async throws {
        let world = try await Self.world("shop")
        try await world.begin()
        var configuration = DaemonWorld.configuration(["shop"])
        configuration.repositories[0].url = FakeHosts.url("moved")
        configuration.repositories[0].branch = "release"
        world.host("moved").commit(["README": "1"], to: "release")
        _ = try await world.loop.reload(configuration) { _ in }
        try await world.idle()
        #expect(world.host("moved").fetches == 1)
        #expect(world.host("shop").fetches == 1)
        let status = try world.status("shop")
        #expect(status.state == .ok)
        #expect([status.url, status.branch] == [FakeHosts.url("moved"), "release"])
    }

    @Test func `a configuration that cannot be used keeps the old one`() async throws {
        let world = try await Self.world("shop", "blog")
        try await world.begin()
        await world.fleet.failReload(with: AgentError("isolation by chroot is not possible here"))
        await #expect(throws: AgentError.self) {
            try await world.loop.reload(DaemonWorld.configuration(["shop"])) { _ in }
        }
        await world.loop.reloadFailed()
        try await world.nextLook()
        #expect(world.health.statuses.map(\.repository) == ["blog", "shop"])
        #expect(world.host("blog").fetches == 2)
        #expect(world.health.metrics.text.contains("slipway_reloads_total{result=\"failure\"} 1.0\n"))
        #expect(!world.health.metrics.text.contains("result=\"success\"} 1.0\n" + "slipway_reloads"))
    }

    @Test func `what only a restart brings about is said`() async throws {
        let world = try await Self.world("shop")
        try await world.begin()
        var configuration = DaemonWorld.configuration(["shop"])
        configuration.stateDirectory = "/elsewhere"
        configuration.listen = "127.0.0.1:8080"
        let notes = try await world.loop.reload(configuration) { _ in }
        #expect(
            notes == [
                "stateDirectory stays /nowhere until the agent is restarted",
                "listen stays off until the agent is restarted",
            ])
        #expect(await world.fleet.next?.stateDirectory == "/nowhere")
    }

    @Test func `a build goes on over a reload, and is rolled out after it`() async throws {
        let gate = Gate()
        let world = try await Self.building(gate)
        _ = try await world.loop.reload(DaemonWorld.configuration(["shop"])) { _ in }
        try await world.idle()
        #expect(try world.status("shop").state == .building)
        await gate.open()
        try await world.until("the image is rolled out") {
            world.host("shop").text("deploy/web.yaml")?.contains("acme/web:v1") == true
        }
        #expect(world.builder.built == ["web"])
    }

    @Test func `builds of an entry that is removed are cancelled, those that wait and those that run`() async throws {
        let gate = Gate()
        let world = try await DaemonWorld("shop", "blog", concurrency: 2)
        for name in ["shop", "blog"] {
            let builds = World.builds(("\(name)-a", "v1"), ("\(name)-b", "v1"))
            world.host(name).commit([
                ".slipway.yaml": builds, "\(name)-a/Dockerfile": "FROM scratch", "\(name)-b/Dockerfile": "FROM scratch",
            ])
            for pipeline in ["\(name)-a", "\(name)-b"] {
                world.builder.onBuild(of: pipeline) { _ throws(BuildError) in
                    guard await gate.pass() else { throw BuildError(.cancelled, "the build was cancelled") }
                }
            }
        }
        try await world.begin()
        try await world.until("two run and two wait") {
            await world.builds.queue.state.map(\.state) == [.running, .running, .waiting, .waiting]
        }
        _ = try await world.loop.reload(DaemonWorld.configuration(["shop"])) { _ in }
        try await world.until("the other's are gone") {
            await world.builds.queue.state.map(\.pipeline.repository) == ["shop", "shop"]
        }
        #expect(
            world.log.lines.filter { $0.contains("build cancelled") } == [
                "notice build cancelled: the configuration has its repository no more pipeline=blog-a repository=blog",
                "notice build cancelled: the configuration has its repository no more pipeline=blog-b repository=blog",
            ])
        #expect(await world.builds.failures.all.isEmpty)
        let history = await world.builds.history?.builds(of: "blog", limit: 10) ?? []
        #expect(history.map(\.state) == [.cancelled, .cancelled])
        await gate.open()
        try await world.until("the other entry's go on") {
            world.registry.tags("registry.example.com/acme/shop-b") == ["v1"]
        }
        #expect(world.registry.tags("registry.example.com/acme/blog-a").isEmpty)

        // Back again, it is built as if nothing had been.
        _ = try await world.loop.reload(DaemonWorld.configuration(["shop", "blog"])) { _ in }
        try await world.until("it is built") { world.registry.tags("registry.example.com/acme/blog-b") == ["v1"] }
    }

    /// `blog` is in a cycle that waits for `scan` and then begins a build that waits for `build`.
    private static func worldInCycle(scan: Gate, build: Gate) async throws -> DaemonWorld {
        let world = try await DaemonWorld("shop", "blog")
        world.host("shop").commit(["README": "1"])
        world.host("blog").commit([".slipway.yaml": World.builds(("web", "v1")), "web/Dockerfile": "FROM scratch"])
        world.registry.beforeScan { _ = await scan.pass() }
        world.builder.onBuild(of: "web") { _ throws(BuildError) in
            guard await build.pass() else { throw BuildError(.cancelled, "the build was cancelled") }
        }
        await world.loop.begin()
        try await world.until("the cycle is under way") { await scan.entered > 0 }
        return world
    }

    @Test func `what a removed entry's last cycle begins is cancelled, too`() async throws {
        let (scan, build) = (Gate(), Gate())
        let world = try await Self.worldInCycle(scan: scan, build: build)
        _ = try await world.loop.reload(DaemonWorld.configuration(["shop"])) { _ in }
        await scan.open()
        try await world.until("it is said") { world.log.lines.contains { $0.contains("build cancelled") } }
        try await world.until("nothing is built") { await world.builds.queue.state.isEmpty }
        #expect(world.registry.tags("registry.example.com/acme/web").isEmpty)
    }

    @Test func `an entry that is back before its last cycle has ended keeps its builds`() async throws {
        let (scan, build) = (Gate(), Gate())
        let world = try await Self.worldInCycle(scan: scan, build: build)
        for names in [["shop"], ["shop", "blog"]] {
            _ = try await world.loop.reload(DaemonWorld.configuration(names)) { _ in }
        }
        await scan.open()
        try await world.until("the build is under way, and both cycles are over") {
            await build.entered == 1 && world.health.statuses.allSatisfy { $0.nextAttempt != nil }
        }
        #expect(!world.log.lines.contains { $0.contains("build cancelled") })
        await build.open()
        try await world.until("it is built") { world.registry.tags("registry.example.com/acme/web") == ["v1"] }
    }

    @Test func `a reload does not wait for the cycle that is under way`() async throws {
        let world = try await Self.world("shop")
        world.host("shop").commit(["deploy/web.yaml": World.deployment("web", image: "acme/web:1.0.0")])
        let gate = Gate()
        world.registry.beforeScan { _ = await gate.pass() }
        await world.loop.begin()
        try await world.until("the cycle is under way") { await gate.entered > 0 }
        _ = try await world.loop.reload(DaemonWorld.configuration(["shop"])) { _ in }
        #expect(world.host("shop").fetches == 1)
        await gate.open()
        try await world.idle()
        #expect(world.host("shop").fetches == 2)
    }

    @Test func `what is decided as before is not logged again after a reload`() async throws {
        let world = try await Self.world("shop")
        world.host("shop").commit(["deploy/web.yaml": World.deployment("web", image: "acme/web:1.0.0")])
        world.registry.push("acme/web", "1.0.0")
        try await world.begin()
        world.log.clear()
        _ = try await world.loop.reload(DaemonWorld.configuration(["shop"])) { _ in }
        try await world.idle()
        #expect(world.log.lines.isEmpty)
    }

    // MARK: The end

    @Test func `the end does not wait for the next look, and nothing begins after it`() async throws {
        let world = try await Self.world("shop", "blog")
        try await world.begin()
        await world.loop.stop()
        #expect(world.clock.wakeTimes.isEmpty)
        world.clock.advance(by: 10_000)
        await world.loop.trigger("shop")
        await #expect(throws: ControlError.self) {
            try await world.loop.run(CycleRequest(repositories: ["shop"]), .complete) { _ in }
        }
        await #expect(throws: AgentError.self) {
            try await world.loop.reload(DaemonWorld.configuration(["wiki"])) { _ in }
        }
        await world.loop.stop()
        #expect([world.host("shop").fetches, world.host("blog").fetches, world.host("wiki").fetches] == [1, 1, 0])
    }

    @Test func `builds are cancelled by the end, and are no failures`() async throws {
        let gate = Gate()
        let world = try await Self.building(gate)
        await world.loop.stop()
        #expect(world.registry.tags("registry.example.com/acme/web").isEmpty)
        #expect(await world.builds.failures.all.isEmpty)
        #expect(await world.builds.queue.state.isEmpty)
        #expect(!world.log.lines.contains { $0.hasPrefix("error") }, "\(world.log.lines)")

        // The next process does what was cut off.
        let next = try await DaemonWorld("shop", over: world)
        let head = try #require(world.host("shop").text(".slipway.yaml"))
        next.host("shop").commit([".slipway.yaml": head, "web/Dockerfile": "FROM scratch"])
        try await next.begin()
        try await next.until("it is built") { next.registry.tags("registry.example.com/acme/web") == ["v1"] }
    }

    @Test func `a build that does not end by itself is given eight seconds`() async throws {
        let world = try await DaemonWorld("shop")
        world.host("shop").commit([
            ".slipway.yaml": World.builds(("web", "v{build.number}")), "web/Dockerfile": "FROM scratch",
        ])
        let gate = Gate()
        // It does not look at whether it is cancelled.
        world.builder.onBuild(of: "web") { _ in await Task.detached { _ = await gate.pass() }.value }
        try await world.begin()
        try await world.until("the build is under way") { await gate.entered == 1 }
        let stopping = Task { await world.loop.stop() }
        try await world.until("the end is waited for") { world.clock.wakeTimes == [world.clock.now + 8] }
        world.clock.advance(by: 8)
        await stopping.value
        #expect(world.registry.tags("registry.example.com/acme/web").isEmpty)
        await gate.open()
    }

    @Test func `a cycle that is cut off tells nothing of its repository`() async throws {
        let world = try await Self.world("shop")
        world.host("shop").commit(["deploy/web.yaml": World.deployment("web", image: "acme/web:1.0.0")])
        let gate = Gate()
        world.registry.beforeScan { _ = await gate.pass() }
        await world.loop.begin()
        try await world.until("the cycle is under way") { await gate.entered > 0 }
        await world.loop.stop()
        #expect(try world.status("shop").state == .starting)
        #expect(world.health.report(of: "shop") == nil)
        #expect(!world.log.lines.contains { $0.hasPrefix("error") }, "\(world.log.lines)")
    }
}
