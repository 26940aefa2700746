import Agent
import AgentFakes
import Forge
import Git
import Template
import TestSupport
import Testing

/// Others push while the agent does.
@Suite(.tags(.unit)) struct PublishTests {
    private static func world() async throws -> World {
        let world = try await World()
        world.registry.push("acme/web", "1.1.0")
        world.host.commit(["deploy/web.yaml": World.deployment("web", image: "acme/web:1.0.0")])
        return world
    }

    @Test func `a lost race is run again on the new head, and keeps what the other pushed`() async throws {
        let world = try await Self.world()
        world.host.beforeNextPush { [host = world.host] in host.commit(["README": "hello"]) }
        let report = await world.cycle()
        #expect(report.failures.isEmpty)
        #expect(world.image(of: "web") == "acme/web:1.1.0")
        #expect(world.host.text("README") == "hello")
        #expect(report.commits.count == 1)
    }

    @Test func `a person who changes the same line meanwhile wins`() async throws {
        let world = try await Self.world()
        world.host.beforeNextPush { [host = world.host] in
            host.commit(["deploy/web.yaml": World.deployment("web", image: "acme/web:1.0.5")])
        }
        let report = await world.cycle()
        #expect(report.commits.isEmpty)
        #expect(world.image(of: "web") == "acme/web:1.0.5")
        #expect(report.reason("deploy/web.yaml") == "somebody changed it meanwhile")
    }

    @Test func `after six lost races it is left to the next cycle`() async throws {
        let world = try await Self.world()
        for number in 1...6 {
            world.host.beforeNextPush { [host = world.host] in host.commit(["file\(number)": "x"]) }
        }
        let report = await world.cycle()
        #expect(report.failures.map(\.phase) == [.publish])
        #expect(world.image(of: "web") == "acme/web:1.0.0")
        let next = await world.cycle()
        #expect(next.failures.isEmpty)
        #expect(world.image(of: "web") == "acme/web:1.1.0")
    }

    @Test func `a command loses and wins its races the same way`() async throws {
        let world = try await Self.world()
        world.host.beforeNextPush { [host = world.host] in host.commit(["README": "hello"]) }
        let outcome = try await world.lock("web")
        #expect(outcome.commit == world.host.head()?.id)
        #expect(world.host.text("README") == "hello")
        #expect(world.host.text("deploy/web.yaml")?.contains("fluxcd.io/locked: \"true\"") == true)
    }

    // MARK: Other branches

    private static func branched() async throws -> World {
        let world = try await world()
        world.git.push.branch = try Template("slipway/update", name: "branch")
        world.git.pullRequest = AgentConfiguration.PullRequestSettings(host: .gitea)
        return world
    }

    @Test func `changes go to a branch with one pull request, once`() async throws {
        let world = try await Self.branched()
        for _ in 1...3 { _ = await world.cycle() }
        #expect(world.image(of: "web") == "acme/web:1.0.0")
        #expect(world.image(of: "web", on: "slipway/update") == "acme/web:1.1.0")
        #expect(world.forge.all.count == 1)
        world.host.merge("slipway/update", into: "main")
        let report = await world.cycle()
        #expect(world.image(of: "web") == "acme/web:1.1.0")
        #expect(world.host.branches == ["main"])
        #expect(report.failures.isEmpty)
    }

    @Test func `a command's branch is its own, and cycles leave it there until it is merged`() async throws {
        let world = try await Self.branched()
        _ = await world.cycle()
        _ = try await world.lock("web")
        #expect(world.host.branches.count == 3)
        let branch = try #require(world.host.branches.first { $0.contains("policy") })
        #expect(world.host.text("deploy/web.yaml", on: branch)?.contains("locked") == true)
        #expect(world.host.text("deploy/web.yaml")?.contains("locked") == false)
        _ = await world.cycle()
        #expect(world.host.branches.contains(branch))
        world.host.merge(branch, into: "main")
        _ = await world.cycle()
        #expect(!world.host.branches.contains(branch))
    }

    @Test func `a branch with a person's commit is left alone`() async throws {
        let world = try await Self.branched()
        _ = await world.cycle()
        world.host.commit(["README": "by hand"], to: "slipway/update")
        world.registry.push("acme/web", "1.2.0")
        let report = await world.cycle()
        #expect(world.image(of: "web", on: "slipway/update") == "acme/web:1.1.0")
        #expect(report.reason("branch slipway/update")?.contains("somebody else") == true)
    }
}
