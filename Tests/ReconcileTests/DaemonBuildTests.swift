import Agent
import AgentFakes
import Builder
import Synchronization
import TestSupport
import Testing

/// Builds beside the cycles: they hold up nothing, and what failed is remembered.
@Suite(.tags(.unit)) struct DaemonBuildTests {
    private static let step = BuildError(.step, "the step failed with exit code 7", place: "web/Dockerfile:2")
    private static let away = BuildError(.registry, "the registry cannot be reached", isTransient: true)

    /// A repository that builds `web` and follows it, and follows `db`, which others build.
    private static func world(_ names: String = "shop", over last: DaemonWorld? = nil) async throws -> DaemonWorld {
        let world = try await DaemonWorld(names, over: last)
        world.host("shop").commit([
            ".slipway.yaml": World.builds(("web", "v{build.number}")), "web/Dockerfile": "FROM scratch",
            "deploy/web.yaml": World.deployment("web", image: "registry.example.com/acme/web:v0", policy: "glob:v*"),
            "deploy/db.yaml": World.deployment("db", image: "acme/db:1.0.0"),
        ])
        return world
    }

    private static func text(_ world: DaemonWorld, _ name: String) -> String {
        world.host("shop").text("deploy/\(name).yaml") ?? ""
    }

    // MARK: Beside the cycles

    @Test func `the agent is ready, and another image is rolled out, while a build is under way`() async throws {
        let world = try await Self.world()
        let gate = Gate()
        world.builder.onBuild(of: "web") { _ in _ = await gate.pass() }
        try await world.begin()
        try await world.until("the build is under way") { await gate.entered == 1 }
        #expect(world.health.readiness.isReady)
        #expect(try world.status("shop").state == .building)
        #expect(try world.status("shop").pending.map(\.pipeline) == ["web"])

        world.registry.push("acme/db", "1.1.0")
        try await world.nextLook()
        #expect(Self.text(world, "db").contains("acme/db:1.1.0"))
        #expect(try world.status("shop").state == .building)
        #expect(world.builder.built == ["web"])
        await gate.open()
        try await world.until("the build is over") { try world.status("shop").state == .ok }
        try await world.idle()
    }

    @Test func `the end of a build is rolled out at once`() async throws {
        let world = try await Self.world()
        let gate = Gate()
        world.builder.onBuild(of: "web") { _ in _ = await gate.pass() }
        try await world.begin()
        let start = world.clock.now
        await gate.open()
        try await world.until("the image is rolled out") {
            Self.text(world, "web").contains("registry.example.com/acme/web:v1")
        }
        try await world.idle()
        #expect(world.clock.now == start)
        #expect(try world.status("shop").state == .ok)
        #expect(try world.status("shop").lastImages.map(\.references) == [["registry.example.com/acme/web:v1"]])
        #expect(world.health.metrics.text.contains("slipway_images_built_total{repository=\"shop\"} 1.0\n"))
        for phase in ["execute", "push"] {
            #expect(world.health.metrics.text.contains("slipway_phase_seconds_total{phase=\"\(phase)\"}"))
        }
        #expect(world.builder.built == ["web"])
    }

    @Test func `a commit during a build is built when that one is over`() async throws {
        let world = try await Self.world()
        let gate = Gate()
        world.builder.onBuild(of: "web") { _ in _ = await gate.pass() }
        try await world.begin()
        try await world.until("the build is under way") { await gate.entered == 1 }
        world.host("shop").commit(["web/main.c": "int main() {}"])
        try await world.trigger("shop")
        try await world.trigger("shop")
        #expect(world.builder.built == ["web"])
        #expect(try world.status("shop").pending.map(\.isOutdated) == [true])
        await gate.open()
        try await world.until("the newer image is rolled out") {
            Self.text(world, "web").contains("registry.example.com/acme/web:v2")
        }
        try await world.idle()
        #expect(world.builder.built == ["web", "web"])
        #expect(world.builder.mostRunning == 1)
    }

    @Test func `builds of the whole agent are bounded, and repositories take turns`() async throws {
        let world = try await DaemonWorld("big", "mid", "small", concurrency: 2)
        let gate = Gate()
        func pipelines(_ repository: String, _ count: Int) {
            let names = (1...count).map { "\(repository)-\($0)" }
            var files = Dictionary(
                uniqueKeysWithValues: names.map { ("\($0)/Dockerfile", String?.some("FROM scratch")) })
            files[".slipway.yaml"] = names.map { World.builds(($0, "v{build.number}")) }.enumerated()
                .map { $0.offset == 0 ? $0.element : String($0.element.dropFirst("builds:\n".count)) }.joined()
            world.host(repository).commit(files)
            for name in names { world.builder.onBuild(of: name) { _ in _ = await gate.pass() } }
        }
        pipelines("big", 6)
        pipelines("mid", 2)
        pipelines("small", 1)
        try await world.begin()
        try await world.until("all builds are in the queue") { await world.builds.queue.state.count == 9 }
        var most = 0
        for done in 0..<9 {
            try await world.until("as many as may run do") { await gate.entered == min(done + 2, 9) }
            most = max(most, await world.builds.queue.state.count { $0.state == .running })
            await gate.letOneGo()
        }
        try await world.until("all are built") { world.health.statuses.allSatisfy { $0.state == .ok } }
        #expect(most == 2)
        #expect(world.builder.mostRunning == 2)
        // Whoever has few does not wait for the one that has many: after a build of each, all of them are through.
        let small = try #require(world.builder.built.firstIndex(of: "small-1"))
        #expect(small < 5, "\(world.builder.built)")
        let mid = world.builder.built.lastIndex { $0.hasPrefix("mid") } ?? 9
        #expect(mid < 8, "\(world.builder.built)")
    }

    // MARK: Failures

    @Test func `a failing step is built once for its content, by the next process too`() async throws {
        let world = try await Self.world()
        world.builder.onBuild(of: "web") { _ throws(BuildError) in throw Self.step }
        try await world.begin()
        try await world.until("it is stalled") { try world.status("shop").state == .stalled }
        for _ in 1...5 { try await world.nextLook() }
        #expect(world.builder.built == ["web"])
        let failure = try #require(try world.status("shop").failures.first)
        #expect(failure.message == "web/Dockerfile:2: the step failed with exit code 7")
        #expect(failure.attempts == 1)
        #expect(failure.nextAt == nil)
        #expect(failure.hint?.contains("slipway retry") == true)
        #expect(try world.status("shop").nextAttempt == world.clock.now + DaemonWorld.interval)
        #expect(
            world.health.metrics.text.contains("slipway_failures_total{repository=\"shop\",phase=\"execute\"} 1.0\n"))
        await world.loop.stop()

        let next = try await Self.world(over: world)
        next.builder.onBuild(of: "web") { _ throws(BuildError) in throw Self.step }
        try await next.begin()
        try await next.nextLook()
        #expect(next.builder.built.isEmpty)
        #expect(try next.status("shop").state == .stalled)
    }

    /// What frees a pipeline that is stalled.
    enum Release: String, CaseIterable, Sendable { case commit, base, retry, retryOfAll }

    @Test(arguments: Release.allCases)
    func `what a step failed with is free again by a change, or when somebody asks`(release: Release) async throws {
        let world = try await Self.world()
        world.builder.onBuild(of: "web") { _ throws(BuildError) in throw Self.step }
        try await world.begin()
        try await world.until("it is stalled") { try world.status("shop").state == .stalled }
        try await world.idle()
        world.builder.onBuild(of: "web", nil)
        try await world.nextLook()
        #expect(world.builder.built == ["web"])
        switch release {
        case .commit: world.host("shop").commit(["web/main.c": "int main() {}"])
        case .base: world.builder.moveBase(to: "sha256:other")
        case .retry: #expect(try await world.loop.retry(RetryRequest(repository: "shop", pipeline: "web")).hadFailed)
        case .retryOfAll: #expect(try await world.loop.retry(RetryRequest(repository: "shop")).hadFailed)
        }
        // Who asks for another attempt waits for no look.
        if release == .commit || release == .base { await world.loop.trigger("shop") }
        try await world.until("it is rolled out") { Self.text(world, "web").contains("acme/web:v1") }
        try await world.until("all is well") { try world.status("shop").state == .ok }
        #expect(world.builder.built == ["web", "web"])
        #expect(await world.builds.failures.all.isEmpty)
    }

    @Test func `a failure of the world is tried again ever later, when the status says`() async throws {
        let world = try await Self.world()
        world.builder.onBuild(of: "web") { _ throws(BuildError) in throw Self.away }
        try await world.begin()
        var waits: [Int64] = []
        for attempt in 1...9 {
            try await world.until("attempt \(attempt) has failed") {
                try world.status("shop").failures.first?.attempts == attempt
            }
            try await world.idle()
            #expect(try world.status("shop").state == .failing)
            let next = try #require(try world.status("shop").failures.first?.nextAt)
            waits.append(next - world.clock.now)
            // Looks before that time do not build.
            try await world.trigger("shop")
            #expect(world.builder.built.count == attempt)
            while try #require(try world.status("shop").nextAttempt) < next {
                world.clock.advance(by: try #require(try world.status("shop").nextAttempt) - world.clock.now)
                try await world.idle()
                #expect(world.builder.built.count == attempt)
            }
            #expect(try world.status("shop").nextAttempt == next)
            if attempt == 9 { world.builder.onBuild(of: "web", nil) }
            world.clock.advance(by: next - world.clock.now)
        }
        #expect(waits == [10, 20, 40, 80, 160, 320, 600, 600, 600])
        try await world.until("all is well") { try world.status("shop").state == .ok }
        #expect(Self.text(world, "web").contains("acme/web:v1"))
        #expect(world.builder.built.count == 10)
    }

    @Test func `a push that failed is another pipeline's business not`() async throws {
        let world = try await DaemonWorld("shop")
        world.host("shop").commit([
            ".slipway.yaml": World.builds(("web", "v{build.number}"), ("api", "v{build.number}")),
            "web/Dockerfile": "FROM scratch", "api/Dockerfile": "FROM scratch",
        ])
        world.builder.onBuild(of: "web") { _ throws(BuildError) in throw Self.step }
        try await world.begin()
        try await world.until("one is stalled") { try world.status("shop").state == .stalled }
        try await world.until("the other is there") {
            world.registry.tags("registry.example.com/acme/api") == ["v1"]
        }
        #expect(world.registry.tags("registry.example.com/acme/web").isEmpty)
    }

    @Test func `a repository that has no pipeline of that name has nothing to retry`() async throws {
        let world = try await Self.world()
        try await world.begin()
        #expect(try await world.loop.retry(RetryRequest(repository: "shop", pipeline: "nothing")).hadFailed == false)
        await #expect(throws: ControlError.self) {
            try await world.loop.retry(RetryRequest(repository: "nowhere"))
        }
    }
}
