import Agent
import AgentFakes
import Git
import OCI
import RegistryPoller
import Template
import TestSupport
import Testing

@testable import Forge

/// The comment that says what a pull request changes.
@Suite(.tags(.unit)) struct PullRequestCommentTests {
    private static func world() async throws -> World {
        let world = try await World()
        world.host.commit(["deploy/web.yaml": World.deployment("web", image: "acme/web:1.0.0")])
        world.git.push.branch = try Template("slipway/update", name: "branch")
        world.git.pullRequest = AgentConfiguration.PullRequestSettings(host: .gitea)
        return world
    }

    private static func push(
        _ world: World, _ tag: String, from commit: String?, source: String? = nil
    ) {
        var annotations = ImageAnnotations()
        annotations[Annotation.revision] = commit
        annotations[Annotation.source] = source
        world.registry.add(
            TagRecord(tag: tag, digest: .sha256(of: Array("web \(tag)".utf8)), annotations: annotations),
            to: .registry(host: "docker.io", path: "acme/web"))
    }

    /// The agent's process, from one cycle to the next.
    private static func cycle(_ reconciler: Reconciler) async -> CycleReport {
        await reconciler.cycle(.background) { _ in }
    }

    @Test func `images, their commits, and those between`() async throws {
        let world = try await Self.world()
        let old = world.host.commit(["main.c": "1"], message: "First")
        world.host.commit(["main.c": "2"], message: "Speak `loudly` @everyone\n\nmore")
        let new = world.host.commit(["main.c": "3"], message: "Third")
        Self.push(world, "1.0.0", from: "\(old)")
        Self.push(world, "1.1.0", from: "\(new)")
        let report = await world.cycle()
        #expect(report.failures.isEmpty)
        let text = try #require(world.forge.notes(of: 1).first)
        #expect(text.contains("**`acme/web`**"))
        #expect(text.contains("| image | `1.0.0` | `1.1.0` |"))
        #expect(text.contains("| source commit | `\("\(old)".prefix(12))` | `\("\(new)".prefix(12))` |"))
        #expect(text.contains("2 commits came in:"))
        #expect(text.contains("` `Speak ?loudly? @everyone`"))
        #expect(text.contains("` `Third`"))
        #expect(!text.contains("First"))
    }

    @Test func `it is edited, never repeated, and costs nothing while nothing happens`() async throws {
        let world = try await Self.world()
        Self.push(world, "1.1.0", from: nil)
        let reconciler = world.reconciler()
        for _ in 1...3 { #expect((await Self.cycle(reconciler)).failures.isEmpty) }
        #expect(world.forge.notes(of: 1).count == 1)
        let calls = world.forge.calls.filter { $0.hasPrefix("comment") }
        #expect(calls == ["comments 1", "comment 1"])
        // A process with an empty disk finds it.
        _ = await world.cycle()
        #expect(world.forge.notes(of: 1).count == 1)
        Self.push(world, "1.2.0", from: nil)
        _ = await Self.cycle(reconciler)
        #expect(world.forge.notes(of: 1).count == 1)
        #expect(world.forge.notes(of: 1)[0].contains("| image | `1.0.0` | `1.2.0` |"))
        #expect(world.forge.calls.filter { $0 == "edit 1" }.count == 1)
    }

    @Test(
        arguments: [
            ("https://github.com/acme/web", "https://github.com/acme/web/compare/"),
            ("https://gitlab.com/a/b/web.git", "https://gitlab.com/a/b/web/-/compare/"),
            ("https://git.example.com/acme/web", nil), ("javascript://github.com/%0aalert(1)/x", nil),
            ("https://github.com/acme/we)b [x](https://evil.example", nil),
        ] as [(String, String?)])
    func `a comparison elsewhere is linked where it is known how`(_ source: String, _ link: String?) async throws {
        let world = try await Self.world()
        Self.push(world, "1.0.0", from: String(repeating: "a", count: 40), source: source)
        Self.push(world, "1.1.0", from: String(repeating: "b", count: 40), source: source)
        _ = await world.cycle()
        let text = try #require(world.forge.notes(of: 1).first)
        let wanted = link.map {
            "[Compare the commits](\($0)\(String(repeating: "a", count: 40))...\(String(repeating: "b", count: 40)))"
        }
        if let wanted { #expect(text.contains(wanted), "\(text)") } else { #expect(!text.contains("[Compare")) }
        #expect(!text.contains("came in"))
    }

    @Test func `a host that takes no comment is asked later, and all else goes on`() async throws {
        let world = try await Self.world()
        Self.push(world, "1.1.0", from: nil)
        for _ in 1...9 { world.forge.fail("comment 1", with: ForgeError(.authentication, "no", status: 403)) }
        let reconciler = world.reconciler()
        for _ in 1...10 {
            let report = await Self.cycle(reconciler)
            #expect(report.failures.isEmpty)
            #expect(report.pullRequests.count == 1)
            world.clock.advance(by: 30)
        }
        let asked = world.forge.calls.filter { $0 == "comment 1" }.count
        #expect((2...4).contains(asked))
        world.clock.advance(by: 7200)
        for _ in 1...12 {
            _ = await Self.cycle(reconciler)
            world.clock.advance(by: 3600)
        }
        #expect(world.forge.notes(of: 1).count == 1)
    }

    @Test func `it can be left out`() async throws {
        let world = try await Self.world()
        world.git.pullRequest?.hasComment = false
        Self.push(world, "1.1.0", from: nil)
        _ = await world.cycle()
        #expect(world.forge.open.count == 1)
        #expect(world.forge.notes(of: 1).isEmpty)
    }
}
