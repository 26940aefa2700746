import Agent
import AgentFakes
import Builder
import Synchronization
import TestSupport
import Testing

/// What the agent does is told as it happens, in its order.
@Suite(.tags(.unit)) struct DaemonEventTests {
    /// Hears what a world's agent tells.
    private final class Listener: Sendable {
        private let events = Mutex<[AgentEvent]>([])

        init(_ world: DaemonWorld) async {
            _ = await world.loop.events().listen(after: nil, now: 0) { [self] entry in
                events.withLock { $0.append(entry.event) }
                return true
            }
        }

        var all: [AgentEvent] { events.withLock(\.self) }

        /// One word an event: `build running`, `cycle ok`.
        var words: [String] { all.map { [$0.kind.rawValue, $0.state].compactMap(\.self).joined(separator: " ") } }
    }

    private static func world() async throws -> DaemonWorld {
        let world = try await DaemonWorld("shop")
        world.host("shop").commit([
            ".slipway.yaml": World.builds(("web", "v{build.number}")), "web/Dockerfile": "FROM scratch",
            "web.yaml": World.deployment("web", image: "registry.example.com/acme/web:v0", policy: "glob:v*"),
        ])
        return world
    }

    @Test func `a commit is told from its build to the bump`() async throws {
        let world = try await Self.world()
        let listener = await Listener(world)
        try await world.begin()
        try await world.until("the bump is told") { listener.all.contains { $0.kind == .commit } }
        try await world.idle()
        let words = listener.words
        #expect(words.filter { $0.hasPrefix("build") } == ["build queued", "build running", "build succeeded"])
        func place(_ word: String) throws -> Int { try #require(words.firstIndex(of: word), "\(words)") }
        #expect(try place("build running") < place("output"))
        #expect(try place("output") < place("build succeeded"))
        #expect(try place("build succeeded") < place("pushed"))
        #expect(try place("pushed") < place("commit"))
        #expect(words.last == "cycle ok")
        #expect(listener.all.allSatisfy { $0.repository == "shop" })
        let pushed = try #require(listener.all.first { $0.kind == .pushed })
        #expect(pushed.image?.references == ["registry.example.com/acme/web:v1"])
        #expect(listener.all.first { $0.kind == .output }?.text?.hasSuffix("\n") == true)
    }

    @Test func `a failure is told once, as long as it stays the same`() async throws {
        let world = try await Self.world()
        let step = BuildError(.step, "the step failed with exit code 7", place: "web/Dockerfile:2")
        world.builder.onBuild(of: "web") { (_) throws(BuildError) in throw step }
        let listener = await Listener(world)
        try await world.begin()
        try await world.until("the failure is told") { listener.words.contains("failure") }
        try await world.nextLook()
        try await world.nextLook()
        let failures = listener.all.filter { $0.kind == .failure }
        #expect(failures.count == 1)
        #expect(failures.first?.failure?.message.contains("exit code 7") == true)
        #expect(listener.words.contains("build failed"))
        #expect(listener.words.last == "cycle stalled")
    }
}
