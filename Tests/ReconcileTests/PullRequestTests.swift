import Agent
import AgentFakes
import Git
import Template
import TestSupport
import Testing

@testable import Forge

/// What people do to the agent's pull requests, and what the code host does.
@Suite(.tags(.unit)) struct PullRequestTests {
    private static let branch = "slipway/update"

    /// web and api follow their images, for which 1.1.0 is there.
    private static func world(perImage: Bool = false, autoMerge: Bool = false) async throws -> World {
        let world = try await World()
        for name in ["api", "web"] {
            world.registry.push("acme/\(name)", "1.1.0")
            world.host.commit(["deploy/\(name).yaml": World.deployment(name, image: "acme/\(name):1.0.0")])
        }
        world.git.push.branch = try Template(perImage ? "slipway/{{ .Image.Name }}" : branch, name: "branch")
        world.git.commit.grouping = perImage ? .image : .cycle
        var settings = AgentConfiguration.PullRequestSettings(host: .gitea)
        settings.options.autoMerge = autoMerge ? .squash : nil
        world.git.pullRequest = settings
        return world
    }

    /// A person closes a pull request and deletes its branch.
    private static func close(_ number: Int, _ branch: String, in world: World) async throws {
        world.forge.set(number, to: .closed)
        let head = try #require(world.host.head(branch)?.id)
        _ = try await FakeGitRemote(world.host).deleteBranch(branch, expecting: head)
    }

    /// The agent's process, from one cycle to the next.
    private static func reconciler(_ world: World) -> Reconciler {
        Reconciler(repository: world.repository, services: world.services())
    }

    // MARK: Closed by a person

    enum Words: CaseIterable { case usual, template, markerTakenAway }

    @Test(arguments: Words.allCases)
    func `closed with its branch deleted, it stays closed until something newer appears`(_ words: Words) async throws {
        let world = try await Self.world(perImage: true, autoMerge: true)
        if words == .template { world.git.pullRequest?.body = try Template("please look", name: "body") }
        _ = await world.cycle()
        #expect(world.forge.all.map(\.branch) == ["slipway/acme/api", "slipway/acme/web"])
        if words == .markerTakenAway { world.forge.change(2) { $0.body = "no, thank you" } }
        try await Self.close(2, "slipway/acme/web", in: world)
        for _ in 1...2 {
            let report = await world.cycle()
            #expect(report.failures.isEmpty)
            #expect(world.forge.all.count == 2)
            #expect(!world.host.branches.contains("slipway/acme/web"))
            let decision = try #require(report.decisions.first { $0.subject == "branch slipway/acme/web" })
            #expect(decision.reason.contains("somebody closed https://git.example.com/acme/shop/pulls/2"))
            #expect(decision.remedy?.contains("reopen it") == true)
            #expect(decision.isHold == true)
        }
        // The watched branch goes on; the change is the same one.
        world.host.commit(["README": "hello"])
        _ = await world.cycle()
        #expect(world.forge.all.count == 2)
        world.registry.push("acme/web", "1.2.0")
        _ = await world.cycle()
        #expect(world.forge.all.map(\.title).last == "Auto-release acme/web:1.2.0")
        #expect(world.forge.all.count == 3)
        // The older refusal holds beside the newer one.
        try await Self.close(3, "slipway/acme/web", in: world)
        world.registry.delete("acme/web", "1.2.0")
        _ = await world.cycle()
        #expect(world.forge.all.count == 3)
    }

    @Test func `reopened, it is gone on with`() async throws {
        let world = try await Self.world()
        _ = await world.cycle()
        world.forge.set(1, to: .closed)
        #expect((await world.cycle()).reason("branch")?.contains("somebody closed") == true)
        world.forge.set(1, to: .open)
        let report = await world.cycle()
        #expect(report.pullRequests.map(\.number) == [1])
        #expect(world.forge.all.count == 1)
    }

    @Test func `what holds a part of it again does not merge by itself`() async throws {
        let world = try await Self.world(autoMerge: true)
        _ = await world.cycle()
        #expect(world.forge.calls.contains("merge 1"))
        try await Self.close(1, Self.branch, in: world)
        world.registry.push("acme/web", "1.2.0")
        for _ in 1...2 {
            let report = await world.cycle()
            #expect(world.forge.open.map(\.number) == [2])
            #expect(!world.forge.calls.contains("merge 2"))
            #expect(report.reason("pulls/2")?.contains("left to people") == true)
        }
    }

    @Test func `what the agent closed itself is opened again when it is wanted again`() async throws {
        let world = try await Self.world(perImage: true)
        _ = await world.cycle()
        world.registry.delete("acme/web", "1.1.0")
        _ = await world.cycle()
        #expect(world.forge.open.map(\.branch) == ["slipway/acme/api"])
        #expect(world.forge.comments.count == 1)
        world.registry.push("acme/web", "1.1.0")
        _ = await world.cycle()
        #expect(world.forge.open.map(\.number) == [1, 3])
    }

    @Test func `a command is the newer word`() async throws {
        let world = try await Self.world(perImage: true)
        _ = await world.cycle()
        try await Self.close(2, "slipway/acme/web", in: world)
        _ = try await world.release("web", "acme/web:1.1.0")
        #expect(world.forge.open.count == 2)
        #expect(world.forge.open.last?.branch.hasPrefix("slipway/release-") == true)
    }

    @Test func `a plan tells what is refused`() async throws {
        let world = try await Self.world()
        _ = await world.cycle()
        try await Self.close(1, Self.branch, in: world)
        #expect((await world.cycle(.plan)).reason("branch")?.contains("somebody closed") == true)
    }

    // MARK: Words

    @Test func `what people write stays until the branch is renewed`() async throws {
        let world = try await Self.world()
        _ = await world.cycle()
        world.forge.change(1) { $0.body = "Checked by hand.\r\n\r\n" + $0.body.replacing("\n", with: "\r\n") }
        let edited = world.forge.all[0].body
        for _ in 1...2 { _ = await world.cycle() }
        #expect(world.forge.all[0].body == edited)
        world.registry.push("acme/web", "1.2.0")
        _ = await world.cycle()
        #expect(!world.forge.all[0].body.contains("by hand"))
        #expect(world.forge.all[0].body.contains("acme/web:1.2.0"))
        // Of an older version, without a marker: it gets one, and keeps its words.
        world.forge.change(1) { $0.body = "an older version's" }
        _ = await world.cycle()
        #expect(world.forge.all[0].body.hasPrefix("an older version's\n\n<!-- slipway-update: "))
    }

    // MARK: Failures

    static let failures: [ForgeError] = [
        ForgeError(.refused, "refused", status: 422), ForgeError(.authentication, "no", status: 401),
        ForgeError(.authentication, "may not", status: 403), ForgeError(.notFound, "gone", status: 404),
        ForgeError(.rateLimited, "slower", status: 429), ForgeError(.unavailable, "broken", status: 502),
    ]

    @Test(arguments: failures.indices)
    func `one that fails stops no other, and is told`(_ index: Int) async throws {
        let world = try await Self.world(perImage: true)
        world.forge.fail("open slipway/acme/api", with: Self.failures[index])
        let report = await world.cycle()
        #expect(report.failures.map(\.subject) == ["slipway/acme/api"])
        #expect(world.forge.open.map(\.branch) == ["slipway/acme/web"])
        #expect(world.host.branches == ["main", "slipway/acme/api", "slipway/acme/web"])
        let next = await world.cycle()
        #expect(next.failures.isEmpty)
        #expect(world.forge.open.count == 2)
    }

    @Test func `all that fail are told together, and nothing is removed meanwhile`() async throws {
        let world = try await Self.world(perImage: true)
        for name in ["api", "web"] { world.forge.fail("open slipway/acme/\(name)", with: Self.failures[0]) }
        let report = await world.cycle()
        #expect(Set(report.failures.map(\.subject)) == ["slipway/acme/api", "slipway/acme/web"])
        #expect(world.host.branches.count == 3)
    }

    @Test func `a list that fails is asked for once a cycle, and nothing is pushed without it`() async throws {
        let world = try await Self.world(perImage: true)
        world.forge.fail("recent", with: Self.failures[5])
        let report = await world.cycle()
        #expect(!report.failures.isEmpty)
        #expect(world.forge.calls == ["recent"])
        #expect(world.host.branches == ["main"])
    }

    @Test func `what is refused is not asked for in each cycle`() async throws {
        let world = try await Self.world(perImage: true)
        let reconciler = Self.reconciler(world)
        for _ in 1...20 { world.forge.fail("open slipway/acme/api", with: Self.failures[0]) }
        for _ in 1...20 {
            let report = await reconciler.cycle(.background) { _ in }
            #expect(report.failures.map(\.subject) == ["slipway/acme/api"])
            world.clock.advance(by: 30)
        }
        #expect(world.forge.calls.filter { $0 == "open slipway/acme/api" }.count <= 5)
    }

    @Test func `a command that gets no pull request fails`() async throws {
        let world = try await Self.world(perImage: true)
        world.forge.fail("open", with: Self.failures[0])
        await #expect(throws: AgentError.self) { try await world.lock("web") }
    }

    @Test func `what others opened meanwhile is found`() async throws {
        let world = try await Self.world()
        _ = await world.cycle()
        world.registry.push("acme/web", "1.2.0")
        // The list is behind: it shows the pull request as closed and withdrawn.
        world.forge.change(1) { $0.body = $0.body.replacing(" -->", with: " withdrawn -->") }
        _ = await world.cycle()
        #expect(world.forge.open.map(\.number) == [1])
        #expect(!world.forge.all[0].body.contains("withdrawn"))
    }

    // MARK: Auto-merge

    @Test func `auto-merge is tried again until it is on, and says why it waits`() async throws {
        let world = try await Self.world(autoMerge: true)
        world.forge.merge(.waiting("it is being prepared"), .waiting("it is being prepared"), .enabled)
        let reconciler = Self.reconciler(world)
        for _ in 1...2 {
            let report = await reconciler.cycle(.background) { _ in }
            #expect(report.reason("pulls/1") == "auto-merge waits: it is being prepared")
            #expect(report.failures.isEmpty)
        }
        for _ in 1...3 { _ = await reconciler.cycle(.background) { _ in } }
        #expect(world.forge.calls.filter { $0 == "merge 1" }.count == 3)
        #expect(world.forge.all[0].isAutoMerge == true)
    }

    @Test func `a refusal is told, and not asked for in each cycle`() async throws {
        let world = try await Self.world(autoMerge: true)
        world.forge.merge(.refused("the setting is off"), .enabled)
        let reconciler = Self.reconciler(world)
        for _ in 1...3 {
            let report = await reconciler.cycle(.background) { _ in }
            #expect(report.reason("pulls/1") == "auto-merge is refused: the setting is off")
        }
        #expect(world.forge.calls.filter { $0 == "merge 1" }.count == 1)
        world.clock.advance(by: 3600)
        _ = await reconciler.cycle(.background) { _ in }
        #expect(world.forge.all[0].isAutoMerge == true)
    }

    @Test func `merged at once, the rest follows`() async throws {
        let world = try await Self.world(autoMerge: true)
        world.forge.merge(.merged)
        _ = await world.cycle()
        #expect(world.forge.all.map(\.state) == [.merged])
        world.host.merge(Self.branch, into: "main")
        _ = await world.cycle()
        #expect(world.host.branches == ["main"])
        #expect(world.forge.all.count == 1)
    }

    @Test func `a person who turns it off wins, also when the branch is renewed`() async throws {
        let world = try await Self.world(autoMerge: true)
        _ = await world.cycle()
        #expect(world.forge.all[0].isAutoMerge == true)
        world.forge.change(1) { $0.isAutoMerge = false }
        #expect((await world.cycle()).reason("pulls/1")?.contains("somebody turned it off") == true)
        world.registry.push("acme/web", "1.2.0")
        for _ in 1...3 { _ = await world.cycle() }
        #expect(world.forge.all[0].title.contains("2") && world.forge.all[0].body.contains("acme/web:1.2.0"))
        #expect(world.forge.all[0].isAutoMerge == false)
        #expect(world.forge.calls.filter { $0 == "merge 1" }.count == 1)
    }

    @Test func `a push that makes the host forget it is no person's word`() async throws {
        let world = try await Self.world(autoMerge: true)
        _ = await world.cycle()
        world.registry.push("acme/web", "1.2.0")
        _ = await world.cycle()
        world.forge.change(1) { $0.isAutoMerge = false }
        _ = await world.cycle()
        #expect(world.forge.all[0].isAutoMerge == true)
    }
}
