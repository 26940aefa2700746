import Agent
import AgentFakes
import TestSupport
import Testing

/// Months by a set clock: what an agent holds does not grow with the looks and the builds that it has behind it.
@Suite(.tags(.unit), .thorough) struct SoakTests {
    private static let names = ["api", "blog", "shop"]

    private static func world() async throws -> DaemonWorld {
        let world = try await DaemonWorld("api", "blog", "shop")
        for name in names {
            world.host(name).commit([
                ".slipway.yaml": World.builds((name, "v{build.number}")), "\(name)/Dockerfile": "FROM scratch",
                "deploy/\(name).yaml": World.deployment(
                    name, image: "registry.example.com/acme/\(name):v0", policy: "glob:v*"),
            ])
        }
        try await world.begin()
        return world
    }

    private static func looks(_ count: Int, in world: DaemonWorld) async throws {
        for _ in 1...count { try await world.nextLook() }
    }

    @Test func `looks that find nothing leave nothing behind`() async throws {
        let world = try await Self.world()
        // What is made once: lists that have to grow to their size, lazily made tables, the pools of the runtime.
        try await Self.looks(100, in: world)
        world.log.clear()
        let (before, fetches) = (try ProcessMemory.anonymous(), world.host("shop").fetches)
        let looks = 1_000
        try await Self.looks(looks, in: world)
        let grown = try ProcessMemory.anonymous() - before
        #expect(world.host("shop").fetches == fetches + looks)
        #expect(world.log.lines.isEmpty)
        // A look that keeps a report of each repository would be far above.
        #expect(grown < looks * Self.names.count * 400, "\(grown) bytes more after \(looks) looks")
    }

    /// Waits for an image in all repositories: who commits before the agent has pushed wins the race, and the agent waits by a clock
    /// that stands still.
    private static func rollout(of version: Int, in world: DaemonWorld) async throws {
        try await world.until("v\(version) is rolled out") {
            names.allSatisfy { name in
                world.host(name).text("deploy/\(name).yaml")?.split(whereSeparator: \.isWhitespace)
                    .contains("registry.example.com/acme/\(name):v\(version)") == true
            }
        }
        try await world.idle()
    }

    @Test func `builds leave lists behind that have an end`() async throws {
        let world = try await Self.world()
        try await Self.rollout(of: 1, in: world)
        var sizes: [Int] = []
        for round in 1...4 {
            for number in 1...25 {
                for name in Self.names { world.host(name).commit(["\(name)/main.c": "\(round) \(number)"]) }
                try await world.nextLook()
                try await Self.rollout(of: (round - 1) * 25 + number + 1, in: world)
            }
            sizes.append(world.health.metrics.text.utf8.count)
            #expect(try world.status("shop").lastImages.count <= 10)
        }
        #expect(Set(world.builder.built) == Set(Self.names))
        #expect(world.host("shop").text("deploy/shop.yaml")?.contains("acme/shop:v101") == true)
        // A number may get a digit more.
        #expect(sizes[3] - sizes[1] < 200, "the metrics grow: \(sizes)")
    }
}
