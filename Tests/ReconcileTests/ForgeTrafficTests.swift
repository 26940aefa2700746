import Agent
import AgentFakes
import Forge
import Git
import HTTP
import Template
import TestSupport
import Testing

/// What a code host is asked while nothing happens.
@Suite(.tags(.integration), .thorough) struct ForgeTrafficTests {
    private static let count = 20

    private func world(_ count: Int = count) async throws -> World {
        let world = try await World()
        var files: [String: String?] = [:]
        for index in 0..<count {
            world.registry.push("acme/app\(index)", "1.1.0")
            files["deploy/app\(index).yaml"] = World.deployment("app\(index)", image: "acme/app\(index):1.0.0")
        }
        world.host.commit(files)
        world.git.push.branch = try Template("slipway/{{ .Image.Name }}", name: "branch")
        world.git.commit.grouping = .image
        var settings = AgentConfiguration.PullRequestSettings(host: .github)
        settings.options.autoMerge = .squash
        world.git.pullRequest = settings
        return world
    }

    private func reconciler(
        _ world: World, _ fake: FakeForge, pauses: ForgePauses = ForgePauses()
    ) throws -> Reconciler {
        var configuration = HTTPConfiguration()
        configuration.plainHTTP = .hosts(["127.0.0.1"])
        let kind = try #require(ForgeKind(rawValue: fake.kind.rawValue))
        let forge = try ForgeProject(
            kind: kind, api: fake.api, path: "acme/shop", repositoryURL: "https://x.example/y/z"
        )
        .forge(token: fake.token, http: HTTPClient(configuration), pauses: pauses)
        let services = world.services()
        return Reconciler(
            repository: world.repository,
            services: RepositoryServices(
                git: GitServices(
                    remote: FakeGitRemote(world.host), settings: world.git, forge: forge, clock: world.clock),
                builds: services.builds, tags: world.registry))
    }

    @Test(arguments: FakeForge.Kind.allCases)
    func `twenty open pull requests cost one conditional request a cycle`(_ kind: FakeForge.Kind) async throws {
        let world = try await world()
        let fake = try FakeForge(kind) { [host = world.host] in host.head($0)?.id.description }
        let reconciler = try reconciler(world, fake)
        // The second one notes what the first one's list could not show yet.
        for _ in 1...2 { #expect((await reconciler.cycle(.background) { _ in }).failures.isEmpty) }
        #expect(fake.all.filter { $0.isOpen && ($0.autoMerge != nil || !kind.hasAutoMerge) }.count == Self.count)
        let (before, unchanged) = (fake.requests.count, fake.notModified)
        for _ in 1...60 {
            let report = await reconciler.cycle(.background) { _ in }
            #expect(report.pullRequests.count == Self.count)
            world.clock.advance(by: 60)
        }
        let requests = fake.requests.dropFirst(before)
        #expect(requests.count <= 60)
        #expect(requests.allSatisfy { $0.method == "GET" })
        if kind.marksLists { #expect(fake.notModified - unchanged >= 59) }
        #expect(fake.all.count == Self.count)
    }

    @Test(arguments: FakeForge.Kind.allCases)
    func `those that the list does not show are asked for now and then`(_ kind: FakeForge.Kind) async throws {
        let count = 4
        let world = try await world(count)
        let fake = try FakeForge(kind) { [host = world.host] in
            $0.hasPrefix("slipway/") ? host.head($0)?.id.description : String(repeating: "d", count: 40)
        }
        let reconciler = try reconciler(world, fake)
        for _ in 1...2 { _ = await reconciler.cycle(.background) { _ in } }
        for index in 0..<120 { fake.fork("slipway/other\(index)", base: "main", body: "") }
        let before = fake.requests.count
        for _ in 1...70 {
            #expect((await reconciler.cycle(.background) { _ in }).pullRequests.count == count)
            world.clock.advance(by: 60)
        }
        // A list each, and each branch once an hour; Gitea has no filter by branch.
        let finds = fake.requests.count - before - 70
        #expect((count...count * (kind == .gitea ? 3 : 1)).contains(finds))
        #expect(fake.all.filter(\.isOpen).count == count)
    }

    @Test func `a host that limits gets its pause, and the pull requests come after it`() async throws {
        let world = try await world()
        let fake = try FakeForge(.github) { [host = world.host] in host.head($0)?.id.description }
        fake.limit(to: 7, reset: Int(world.clock.now) + 600)
        let reconciler = try reconciler(world, fake, pauses: ForgePauses { [clock = world.clock] in clock.now })
        let report = await reconciler.cycle(.background) { _ in }
        #expect(report.failures.count <= 2)
        #expect(report.failures.allSatisfy { $0.message.contains("rate limited until") })
        let asked = fake.requests.count
        for _ in 1...5 { _ = await reconciler.cycle(.background) { _ in } }
        #expect(fake.requests.count == asked)
        fake.limit(to: nil)
        world.clock.advance(by: 600)
        #expect((await reconciler.cycle(.background) { _ in }).failures.isEmpty)
        #expect(fake.all.count == Self.count)
    }
}
