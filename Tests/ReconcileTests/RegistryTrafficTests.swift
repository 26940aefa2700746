import AgentFakes
import Git
import OCI
import RegistryPoller
import TestSupport
import Testing

@testable import Agent

/// How often registries are asked, and for how much at the same time.
@Suite(.tags(.unit)) struct RegistryTrafficTests {
    private static func builds(_ count: Int, into repository: (Int) -> String) -> [String: String] {
        var files: [String: String] = [:]
        var text = "builds:\n"
        for number in 0..<count {
            text += """
                  - name: app-\(number)
                    context: app-\(number)
                    destinations: [registry.example.com/shop/\(repository(number))]
                    tags: ["\(number)-v{build.number}"]

                """
            files["app-\(number)/Dockerfile"] = "FROM registry.example.com/base/os:1\nCOPY . /\n"
            files["app-\(number)/data"] = "\(number)\n"
        }
        files[".slipway.yaml"] = text
        return files
    }

    @Test(arguments: [(60, 60), (60, 1), (60, 7)])
    func `builds are looked at side by side, each repository once`(count: Int, repositories: Int) async throws {
        let world = try await World()
        world.host.commit(Self.builds(count) { "r\($0 % repositories)" })
        #expect(await world.cycle().images.count == count)
        let before = world.registry.scans
        _ = world.registry.takeMostRunning()
        let idle = await world.cycle()
        #expect(idle.failures.isEmpty && idle.images.isEmpty)
        #expect(world.registry.scans - before == repositories)
        let atOnce = world.registry.takeMostRunning()
        if repositories == count { #expect(atOnce > 8) }
        // One file of one build.
        world.host.commit(["app-7/data": "changed\n"])
        let changed = await world.cycle()
        #expect(changed.images.map(\.pipeline) == ["app-7"])
        #expect(world.registry.scans - before == 2 * repositories)
    }

    @Test func `images that are followed are looked at side by side, each once`() async throws {
        let world = try await World()
        var files: [String: String] = [:]
        for number in 0..<40 {
            for version in ["1.0.0", "1.1.0"] { world.registry.push("acme/app-\(number)", version) }
            // Two workloads run each image.
            for copy in ["a", "b"] {
                files["deploy/\(number)-\(copy).yaml"] = World.deployment(
                    "app-\(number)-\(copy)", image: "acme/app-\(number):1.0.0", policy: "semver:~1")
            }
        }
        world.host.commit(files)
        let report = await world.cycle(.plan)
        #expect(report.failures.isEmpty)
        #expect(report.updates.count == 80)
        #expect(world.registry.scans == 40)
        #expect(world.registry.looks == 40)
        #expect(world.registry.takeMostRunning() > 8)
    }

    @Test func `what is told is told in the order of the files`() async throws {
        let world = try await World()
        var files: [String: String] = [:]
        for number in 10..<60 {
            world.registry.push("acme/app-\(number)", "1.0.0")
            files["deploy/\(number).yaml"] = World.deployment("app-\(number)", image: "acme/app-\(number):1.0.0")
        }
        world.host.commit(files)
        let subjects = await world.cycle(.plan).decisions.map(\.subject).filter { $0.hasPrefix("deploy/") }
        #expect(subjects.count == 50)
        #expect(subjects == subjects.sorted())
    }

    @Test func `a registry that does not answer fails each of its workloads, and no other`() async throws {
        let world = try await World()
        for name in ["up", "down"] { world.registry.push("acme/\(name)", "1.1.0") }
        world.registry.fail("acme/down", with: PollError(.list, "the tags cannot be listed", isTransient: true))
        world.host.commit([
            "deploy/a.yaml": World.deployment("a", image: "acme/down:1.0.0"),
            "deploy/b.yaml": World.deployment("b", image: "acme/up:1.0.0"),
            "deploy/c.yaml": World.deployment("c", image: "acme/down:1.0.0"),
        ])
        let report = await world.cycle(.plan)
        #expect(report.failures.count == 2)
        #expect(report.updates.map(\.file) == ["deploy/b.yaml"])
    }

    // MARK: Order

    private static func pipeline(
        _ name: String, contexts: [String: PipelineContext] = [:], into repository: String? = nil
    ) throws -> Pipeline {
        var pipeline = Pipeline(
            name: name, origin: "test", contextPath: name, dockerfile: "\(name)/Dockerfile",
            destinations: [
                Pipeline.Destination(
                    repository: try RepositoryLocation("registry.example.com/shop/\(repository ?? name)"),
                    naming: .literal("v1"))
            ])
        pipeline.contexts = contexts
        return pipeline
    }

    @Test func `what a commit touched comes first`() async throws {
        let host = FakeGitHost()
        host.commit(["a/Dockerfile": "1", "b/Dockerfile": "1", "c/Dockerfile": "1", "lib/x": "1"])
        let pipelines = [
            try Self.pipeline("a"), try Self.pipeline("b"),
            try Self.pipeline("c", contexts: ["lib": .declared(.folder("lib"))]),
        ]
        let touched = TouchedFirst(remote: FakeGitRemote(host))
        func order() async throws -> [Int] {
            await touched.order(pipelines, at: try #require(host.head("main")))
        }
        _ = try await order()
        host.commit(["b/data": "2"])
        #expect(try await order() == [1, 0, 2])
        // Several commits since the last look, and a folder of another name.
        host.commit(["lib/x": "2"])
        host.commit(["README": "2"])
        #expect(try await order() == [2, 0, 1])
        #expect(try await order() == [0, 1, 2])
    }

    /// Who only sees folders of the repository waits for nobody.
    @Test(
        arguments: [
            ("folder", []), ("docker-image://scratch", []), ("docker-image://registry.example.com/shop/a:1", [0]),
            ("docker-image://registry.example.com/shop/z:1", []), ("target:base", [0]),
        ] as [(String, Set<Int>)])
    func `a build waits for those whose images its contexts name`(
        context: String, expected: Set<Int>
    ) async throws {
        let pipelines = [
            try Self.pipeline("a"), try Self.pipeline("b", contexts: ["x": .declared(try RepositoryContext(context))]),
        ]
        let sources = pipelines.map { $0.sources(inDockerfile: Array("FROM scratch\nCOPY --from=x . /\n".utf8)) }
        #expect(await PipelineOrder(pipelines, sources: sources).needed(by: 1) == expected)
    }
}
