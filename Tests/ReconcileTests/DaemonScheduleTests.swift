import Agent
import AgentFakes
import Builder
import Git
import Synchronization
import TestSupport
import Testing

/// When the agent looks at its repositories.
@Suite(.tags(.unit)) struct DaemonScheduleTests {
    private static let away = GitError(.network, "the git server cannot be reached")

    @Test func `the first look at each repository comes at once, the next ones after the interval`() async throws {
        let world = try await DaemonWorld("shop", "blog")
        for name in ["shop", "blog"] { world.host(name).commit(["README": "1"]) }
        try await world.begin()
        #expect([world.host("shop").fetches, world.host("blog").fetches] == [1, 1])
        #expect(try world.status("shop").nextAttempt == world.clock.now + DaemonWorld.interval)
        world.clock.advance(by: DaemonWorld.interval - 1)
        try await world.idle()
        #expect(world.host("shop").fetches == 1)
        world.clock.advance(by: 1)
        try await world.idle()
        #expect([world.host("shop").fetches, world.host("blog").fetches] == [2, 2])
    }

    @Test(arguments: [(0.0, 36), (0.5, 40), (0.999_999, 44)])
    func `the interval is a tenth longer or shorter by chance`(random: Double, wait: Int64) async throws {
        let world = try await DaemonWorld("shop", random: { random })
        world.host("shop").commit(["README": "1"])
        try await world.begin()
        #expect(try world.status("shop").nextAttempt == world.clock.now + wait)
    }

    @Test func `an entry's own interval goes before the one of all`() async throws {
        let world = try await DaemonWorld("shop", "blog")
        for name in ["shop", "blog"] { world.host(name).commit(["README": "1"]) }
        try await world.begin()
        var configuration = DaemonWorld.configuration(["shop", "blog"])
        configuration.repositories[1].interval = .seconds(300)
        _ = try await world.loop.reload(configuration) { _ in }
        try await world.idle()
        #expect(try world.status("shop").nextAttempt == world.clock.now + DaemonWorld.interval)
        #expect(try world.status("blog").nextAttempt == world.clock.now + 300)
        #expect(try world.status("shop").interval == DaemonWorld.interval && world.status("blog").interval == 300)
    }

    @Test func `triggers during a cycle are one more cycle, right after it`() async throws {
        let world = try await DaemonWorld("shop")
        let loop = world.loop
        world.registry.push("acme/web", "1.1.0")
        world.host("shop").commit(["deploy/web.yaml": World.deployment("web", image: "acme/web:1.0.0")])
        let gate = Gate()
        world.registry.beforeScan { _ = await gate.pass() }
        await loop.begin()
        try await world.until("the cycle is under way") { await gate.entered > 0 }
        for _ in 1...20 { await loop.trigger("shop") }
        #expect(world.host("shop").fetches == 1)
        await gate.open()
        try await world.idle()
        #expect(world.host("shop").fetches == 2)
    }

    @Test func `a trigger begins a cycle at once, and the wait begins anew`() async throws {
        let world = try await DaemonWorld("shop")
        world.host("shop").commit(["README": "1"])
        try await world.begin()
        world.clock.advance(by: 30)
        try await world.trigger("shop")
        #expect(world.host("shop").fetches == 2)
        #expect(try world.status("shop").nextAttempt == world.clock.now + DaemonWorld.interval)
        await world.loop.trigger("nowhere")
        #expect(world.host("shop").fetches == 2)
    }

    @Test func `a repository that cannot be read is asked ever less often, and at its interval when it is back`()
        async throws
    {
        let world = try await DaemonWorld("shop", random: { 0 })
        let host = world.host("shop")
        host.commit(["README": "1"])
        for _ in 1...8 { host.fail("fetch", with: Self.away) }
        try await world.begin()
        var waits: [Int64] = []
        for _ in 1...8 {
            let wait = try #require(try world.status("shop").nextAttempt) - world.clock.now
            waits.append(wait)
            #expect(try world.status("shop").state == .failing)
            world.clock.advance(by: wait)
            try await world.idle()
        }
        #expect(waits == [40, 80, 160, 320, 600, 600, 600, 600])
        #expect(try world.status("shop").state == .ok)
        #expect(try world.status("shop").nextAttempt == world.clock.now + 36)
    }

    @Test func `what lies in the repository is looked at again at its interval`() async throws {
        let world = try await DaemonWorld("shop")
        world.host("shop").commit(["README": "1"])
        for _ in 1...3 { world.host("shop").fail("fetch", with: GitError(.unverified, "the head is not signed")) }
        try await world.begin()
        for _ in 1...3 {
            #expect(try world.status("shop").state == .stalled)
            #expect(try world.status("shop").nextAttempt == world.clock.now + DaemonWorld.interval)
            try await world.nextLook()
        }
        #expect(try world.status("shop").state == .ok)
    }

    @Test func `a build's next attempt does not hurry a repository that is away`() async throws {
        let world = try await DaemonWorld("shop")
        world.host("shop").commit([
            ".slipway.yaml": World.builds(("web", "v1")), "web/Dockerfile": "FROM scratch",
            "deploy/db.yaml": World.deployment("db", image: "acme/db:1.0.0"),
        ])
        world.registry.push("acme/db", "1.0.0")
        world.builder.onBuild(of: "web") { _ throws(BuildError) in
            throw BuildError(.registry, "the registry cannot be reached", isTransient: true)
        }
        try await world.begin()
        try await world.until("the build has failed") { try world.status("shop").failures.first?.attempts == 1 }
        try await world.idle()
        #expect(try world.status("shop").nextAttempt == world.clock.now + 10)
        world.registry.push("acme/db", "1.1.0")
        world.host("shop").fail("push", with: Self.away)
        try await world.trigger("shop")
        #expect(try world.status("shop").failures.map(\.phase) == [.execute, .publish])
        #expect(try world.status("shop").nextAttempt == world.clock.now + 36)
    }

    @Test func `a trigger counts while a repository is away`() async throws {
        let world = try await DaemonWorld("shop")
        let host = world.host("shop")
        host.commit(["README": "1"])
        for _ in 1...3 { host.fail("fetch", with: Self.away) }
        try await world.begin()
        for _ in 1...3 { try await world.trigger("shop") }
        #expect(host.fetches == 4)
        #expect(try world.status("shop").state == .ok)
    }

    @Test func `one bad repository of three harms nobody, and is named`() async throws {
        let world = try await DaemonWorld("bad", "blog", "shop")
        for name in ["blog", "shop"] {
            world.registry.push("acme/\(name)", "1.1.0")
            world.host(name).commit([
                "deploy/\(name).yaml": World.deployment(name, image: "acme/\(name):1.0.0")
            ])
        }
        for _ in 1...20 { world.host("bad").fail("fetch", with: Self.away) }
        #expect(world.health.readiness.isReady == false)
        try await world.begin()
        for _ in 1...3 { try await world.nextLook() }
        #expect(world.health.readiness.isReady)
        #expect(world.health.readiness.text == "ready; bad: failing since 2023-11-14T22:13:20Z")
        for name in ["blog", "shop"] {
            #expect(world.host(name).text("deploy/\(name).yaml")?.contains("acme/\(name):1.1.0") == true)
            #expect(world.host(name).fetches == 4)
        }
        let metrics = world.health.metrics.text
        #expect(metrics.contains("slipway_repository_up{repository=\"bad\"} 0.0\n"))
        #expect(metrics.contains("slipway_repository_up{repository=\"blog\"} 1.0\n"))
        #expect(metrics.contains("slipway_repository_up{repository=\"shop\"} 1.0\n"))
    }

    @Test func `a first look that takes for ever does not keep the agent from being ready`() async throws {
        let world = try await DaemonWorld("shop", "slow")
        for name in ["shop", "slow"] { world.host(name).commit(["README": "1"]) }
        let gate = Gate()
        world.registry.beforeScan { _ = await gate.pass() }
        world.host("slow").commit(["deploy/web.yaml": World.deployment("web", image: "acme/web:1.0.0")])
        await world.loop.begin()
        try await world.until("one has been looked at") { try world.status("shop").nextAttempt != nil }
        try await world.until("the other is at it") { await gate.entered > 0 }
        #expect(world.health.readiness.isReady == false)
        #expect(world.health.readiness.text == "not ready: not yet looked at: slow")
        try await world.until("the one waits for its next look, and the agent for a minute") {
            world.clock.wakeTimes == [DaemonWorld.interval, 60].map { world.clock.now + $0 }
        }
        world.clock.advance(by: 60)
        try await world.until("the agent is ready") { world.health.readiness.isReady }
        await gate.open()
        try await world.idle()
    }
}
