import Agent
import AgentFakes
import Builder
import Cluster
import Git
import OCI
import Synchronization
import TestSupport
import Testing

/// A replica's term that ends in the middle of a cycle: what comes after is not written.
@Suite struct WritePermitTests {
    /// A leader that renewed its Lease when the clock stood at 1000 s and never does again.
    private struct Leader {
        let clock = SetClock()
        let permit: WritePermit

        init() { permit = WritePermit(LeadershipTerm(ElectionTiming(), since: clock.uptime, clock: clock)) }

        /// The renew deadline passes.
        func loseTerm() { clock.advance(by: ElectionTiming().renewDeadline) }
    }

    // MARK: Git

    @Test(.tags(.integration), arguments: [false, true])
    func `nothing is pushed when the term ends between the fetch and the push`(endsInTime: Bool) async throws {
        let directory = try TemporaryDirectory("permit")
        let repository = try GitRepositoryFixture(in: directory.path)
        try repository.commit(["deploy/web.yaml": World.deployment("web", image: "acme/web:1.0.0")])
        let before = try repository.head()
        let world = try await World()
        for tag in ["1.0.0", "1.1.0"] { world.registry.push("acme/web", tag) }
        let leader = Leader()
        // Tags are asked for after the fetch, because the manifests say which.
        world.registry.beforeScan { if endsInTime { leader.loseTerm() } }
        let report = try await Self.cycle(world, repository, directory.file("one"), leader.permit)
        if endsInTime {
            #expect(try repository.head() == before)
            #expect(report.commit == nil)
            #expect(report.failures.first?.message.contains("this replica may not lead any more") == true)
            // The replica that leads now does it.
            world.registry.beforeScan {}
            _ = try await Self.cycle(world, repository, directory.file("two"), Leader().permit)
        } else {
            #expect(report.failures.isEmpty)
        }
        #expect(try repository.content(of: "deploy/web.yaml").contains("acme/web:1.1.0"))
        #expect(try repository.git("rev-list", "--count", "main") == "2")
    }

    private static func cycle(
        _ world: World, _ fixture: GitRepositoryFixture, _ state: String, _ permit: WritePermit
    ) async throws -> CycleReport {
        let repository = AgentConfiguration.RepositoryConfiguration(
            name: "shop", url: "file://" + fixture.path, branch: "main")
        let git = try await MirrorShelf(stateDirectory: state, permit: permit)
            .services(for: repository, AgentConfiguration.GitConfiguration())
        let services = world.services()
        return await Reconciler(
            repository: repository,
            services: RepositoryServices(git: git, builds: services.builds, tags: services.tags)
        ).cycle(.complete) { _ in }
    }

    // MARK: Registries

    private static let web = "registry.example.com/acme/web"

    enum Moment: CaseIterable {
        case build, upload, firstName, never
    }

    @Test(.tags(.unit), arguments: zip(Moment.allCases, [0, 0, 1, 2]))
    func `an image gets no name after the end of the term`(moment: Moment, names: Int) async throws {
        let world = try await World()
        world.host.commit([
            ".slipway.yaml": """
            builds:
              - name: web
                context: web
                destinations: [\(Self.web)]
                tags: ["v{build.number}", "{commit.short}"]

            """, "web/Dockerfile": "FROM scratch",
        ])
        let leader = Leader()
        world.permit = leader.permit
        world.builder.onBuild(of: "web") { _ in if moment == .build { leader.loseTerm() } }
        world.builder.onRequest { request in
            switch (request, moment) {
            case (.upload, .upload), (.confirm, .firstName): leader.loseTerm()
            default: break
            }
        }
        let report = await world.cycle()
        #expect(world.registry.tags(Self.web).count == names)
        #expect(report.failures.isEmpty == (moment == .never))
        if moment != .never {
            #expect(report.failures.first?.message.contains("this replica may not lead any more") == true)
        }
        // The replica that leads now does the rest, at once: that the term was over is no failure of the build.
        world.builder.onBuild(of: "web", nil)
        world.builder.onRequest(nil)
        world.permit = Leader().permit
        #expect(await world.cycle().failures.isEmpty)
        #expect(world.registry.tags(Self.web).count == 2)
        for tag in world.registry.tags(Self.web) { #expect(world.registry.digests(Self.web, tag).count == 1) }
    }
}
