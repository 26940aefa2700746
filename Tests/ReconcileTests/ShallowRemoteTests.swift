import Agent
import AgentFakes
import TestSupport
import Testing

/// A repository that is a shallow clone: what lacks is its history, and that is the reason which is told.
@Suite(.tags(.integration)) struct ShallowRemoteTests {
    private static func reconciler(_ directory: TemporaryDirectory) async throws -> Reconciler {
        let source = try GitRepositoryFixture(in: directory.path)
        for number in 1...2 {
            try source.commit(["web.yaml": World.deployment("web", image: "acme/web:v\(number)")])
        }
        let clone = directory.file("shallow.git")
        try Shell.run(["git", "clone", "-q", "--bare", "--depth", "1", "file://" + source.path, clone])
        let world = try await World()
        let repository = AgentConfiguration.RepositoryConfiguration(
            name: "shop", url: "file://" + clone, branch: "main")
        let git = try await MirrorShelf(stateDirectory: directory.file("state")).services(
            for: repository, AgentConfiguration.GitConfiguration())
        let services = world.services()
        return Reconciler(
            repository: repository, services: RepositoryServices(git: git, builds: services.builds, tags: services.tags)
        )
    }

    @Test func `plan and explain say that the clone is shallow, and how to fetch its history`() async throws {
        let directory = try TemporaryDirectory("shallow")
        let reconciler = try await Self.reconciler(directory)
        let report = await reconciler.cycle(.plan) { _ in }
        let failure = try #require(report.failures.first)
        #expect(
            report.failures.count == 1 && failure.message.contains("shallow clone, which lacks a part of its history"))
        #expect(failure.hint?.contains("git fetch --unshallow") == true)
        let error = await #expect(throws: ReconcileError.self) {
            _ = try await Explainer(reconciler).explain(try ExplainQuery("shop:deployment/web"))
        }
        #expect(error?.summary.contains("shallow clone") == true && error?.hint?.contains("--unshallow") == true)
    }
}
