import Agent
import AgentFakes
import Builder
import Git
import RegistryPoller
import TestSupport
import Testing

/// Whole cycles in process: what is built, chosen and committed, and what is left alone.
@Suite(.tags(.unit)) struct CycleTests {
    @Test func `a commit becomes an image, and the image becomes a commit`() async throws {
        let world = try await World()
        world.host.commit([
            ".slipway.yaml": World.builds(("web", "v{build.number}")), "web/Dockerfile": "FROM scratch",
            "deploy/web.yaml": World.deployment("web", image: "registry.example.com/acme/web:v0", policy: "glob:v*"),
        ])
        let first = await world.cycle()
        #expect(first.failures.isEmpty)
        #expect(world.builder.built == ["web"])
        #expect(world.registry.tags("registry.example.com/acme/web") == ["v1"])
        #expect(world.image(of: "web") == "registry.example.com/acme/web:v1")
        #expect(first.updates.map(\.new) == ["registry.example.com/acme/web:v1"])

        let second = await world.cycle()
        #expect(second.didNothing)
        #expect(world.builder.built == ["web"])
        #expect(world.host.messages().count == 2)

        world.host.commit(["web/main.c": "int main() {}"])
        _ = await world.cycle()
        #expect(world.registry.tags("registry.example.com/acme/web") == ["v1", "v2"])
        #expect(world.image(of: "web") == "registry.example.com/acme/web:v2")
    }

    @Test func `only the pipeline whose content changed is built`() async throws {
        let world = try await World()
        world.host.commit([
            ".slipway.yaml": World.builds(("web", "v{build.number}"), ("api", "v{build.number}")),
            "web/Dockerfile": "FROM scratch", "api/Dockerfile": "FROM scratch",
        ])
        _ = await world.cycle()
        #expect(world.builder.built.sorted() == ["api", "web"])
        world.host.commit(["api/x": "1"])
        _ = await world.cycle()
        #expect(world.builder.built.sorted() == ["api", "api", "web"])
    }

    @Test func `independent pipelines are built side by side, dependent ones in their order`() async throws {
        let world = try await World()
        world.host.commit([
            ".slipway.yaml": World.builds(("web", "v1"), ("api", "v1"), ("base", "v1"), ("top", "v1")),
            "web/Dockerfile": "FROM scratch", "api/Dockerfile": "FROM scratch", "base/Dockerfile": "FROM scratch",
            "top/Dockerfile": "ARG R=registry.example.com/acme\nFROM ${R}/base:v1",
        ])
        let meeting = Meeting(of: 3)
        for name in ["web", "api", "base"] {
            world.builder.onBuild(of: name) { _ in await meeting.arrive() }
        }
        let report = await world.cycle()
        #expect(report.failures.isEmpty)
        // The three meet while they are built, so nothing of them waited; the fourth did.
        #expect(world.builder.mostRunning == 3)
        #expect(world.builder.built.last == "top")
    }

    @Test func `no build begins while the agent is leaving`() async throws {
        let world = try await World()
        world.host.commit([".slipway.yaml": World.builds(("web", "v1")), "web/Dockerfile": "FROM scratch"])
        await world.dispatcher.close()
        let report = await world.cycle(.background)
        #expect(report.reason("web") == "not built: the agent is leaving")
        #expect(world.builder.built.isEmpty)
    }

    @Test func `a dry run builds, pushes and commits nothing, and tells what would be`() async throws {
        let world = try await World()
        world.registry.push("acme/web", "1.1.0")
        world.host.commit([
            ".slipway.yaml": World.builds(("web", "v{build.number}")), "web/Dockerfile": "FROM scratch",
            "deploy/web.yaml": World.deployment("web", image: "acme/web:1.0.0"),
        ])
        let report = await world.cycle(.plan)
        #expect(world.builder.built.isEmpty)
        #expect(world.host.messages().count == 1)
        #expect(report.images.first?.references == ["registry.example.com/acme/web:v1"])
        #expect(report.diff == "changed deploy/web.yaml\n")
        #expect(report.updates.map(\.new) == ["acme/web:1.1.0"])
    }

    @Test func `a failing build is its own: others are built, and what is there is rolled out`() async throws {
        let world = try await World()
        world.registry.push("acme/db", "2.0.0")
        world.host.commit([
            ".slipway.yaml": World.builds(("web", "v1"), ("api", "v1")), "web/Dockerfile": "FROM scratch",
            "api/Dockerfile": "FROM scratch", "deploy/db.yaml": World.deployment("db", image: "acme/db:1.0.0"),
        ])
        world.builder.onBuild(of: "web") { _ throws(BuildError) in
            throw BuildError(.step, "the step failed with exit code 7", place: "web/Dockerfile:2")
        }
        let report = await world.cycle()
        #expect(report.failures.map(\.subject) == ["web"])
        #expect(world.registry.tags("registry.example.com/acme/api") == ["v1"])
        #expect(world.image(of: "db") == "acme/db:2.0.0")
    }

    @Test(arguments: [
        (".slipway.yaml", "builds:\n  - context: web\n    destinatons: [acme/web]\n", ".slipway.yaml:3"),
        (".slipway.yaml", "builds: [", ".slipway.yaml:1"),
        (
            "job.yaml",
            """
            apiVersion: batch/v1
            kind: Job
            metadata: {name: kaniko}
            spec:
              template:
                spec:
                  containers:
                    - name: kaniko
                      image: gcr.io/kaniko-project/executor:latest
                      args: ["--no-such-flag=1", "--destination=acme/web:v1"]

            """, "job.yaml"
        ),
    ])
    func `a declaration that cannot be understood is a failure with its place`(
        path: String, text: String, place: String
    ) async throws {
        let world = try await World()
        world.host.commit([path: text, "web/Dockerfile": "FROM scratch"])
        let report = await world.cycle()
        let failure = try #require(report.failures.first)
        #expect(failure.message.contains(place), "\(failure.message)")
        #expect(failure.phase == .discover)
        #expect(failure.disposition == .stalled)
    }

    /// What is wrong with a build, and whose fault it is.
    enum Fault: String, CaseIterable, Sendable {
        case takenTag, noDockerfile, noContext, misspelt, away, unreadable

        var isInput: Bool { self != .away && self != .unreadable }
    }

    @Test(arguments: Fault.allCases)
    func `what lies in the repository is stalled with what frees it, what lies in the world is tried again`(
        fault: Fault
    ) async throws {
        let world = try await World()
        var files: [String: String?] = [".slipway.yaml": World.builds(("web", "v1")), "web/Dockerfile": "FROM scratch"]
        switch fault {
        case .takenTag: world.registry.push("registry.example.com/acme/web", "v1")
        case .noDockerfile: files = [".slipway.yaml": World.builds(("web", "v1")), "web/x": ""]
        case .noContext: files["web/Dockerfile"] = String?.none
        case .misspelt: files[".slipway.yaml"] = "builds:\n  - context: web\n    destinatons: [acme/web]\n"
        case .away:
            world.registry.fail(
                "registry.example.com/acme/web", with: PollError(.list, "the tags cannot be listed", isTransient: true))
        case .unreadable: world.host.fail("log", with: GitError(.corrupt, "the mirror is damaged"))
        }
        world.host.commit(files)
        let failure = try #require(await world.cycle(.background).failures.first)
        #expect(failure.disposition == (fault.isInput ? .stalled : .retry), "\(failure)")
        #expect(fault == .away || failure.hint?.isEmpty == false || fault == .unreadable, "\(failure)")
        if fault == .misspelt {
            #expect(failure.message == ".slipway.yaml:3:5: builds[0]: unknown key 'destinatons'", "\(failure.message)")
            #expect(failure.hint == "did you mean 'destinations'?")
        }
    }

    @Test func `a policy that does not parse is a failure of its place, and others go on`() async throws {
        let world = try await World()
        for name in ["web", "api"] { world.registry.push("acme/\(name)", "1.1.0") }
        world.host.commit([
            "deploy/web.yaml": World.deployment("web", image: "acme/web:1.0.0", policy: "semver:not-a-range"),
            "deploy/api.yaml": World.deployment("api", image: "acme/api:1.0.0"),
        ])
        let report = await world.cycle()
        #expect(report.failures.count == 1)
        #expect(report.failures.first?.message.contains("deploy/web.yaml:") == true)
        #expect(world.image(of: "api") == "acme/api:1.1.0")
        #expect(world.image(of: "web") == "acme/web:1.0.0")
    }

    @Test func `a registry that is away fails the places that need it`() async throws {
        let world = try await World()
        world.registry.push("acme/api", "1.1.0")
        world.registry.fail(
            "acme/web", with: PollError(.list, "the tags cannot be listed", cause: "503", isTransient: true))
        world.host.commit([
            "deploy/web.yaml": World.deployment("web", image: "acme/web:1.0.0"),
            "deploy/api.yaml": World.deployment("api", image: "acme/api:1.0.0"),
        ])
        let report = await world.cycle()
        #expect(report.failures.count == 1)
        #expect(world.image(of: "api") == "acme/api:1.1.0")
    }

    @Test func `each image gets a commit of its own when that is wanted`() async throws {
        let world = try await World()
        world.git.commit.grouping = .image
        for name in ["web", "api"] { world.registry.push("acme/\(name)", "1.1.0") }
        world.host.commit([
            "deploy/web.yaml": World.deployment("web", image: "acme/web:1.0.0"),
            "deploy/api.yaml": World.deployment("api", image: "acme/api:1.0.0"),
        ])
        let report = await world.cycle()
        #expect(report.commits.count == 2)
        #expect(world.host.messages().count == 3)
        #expect(world.image(of: "api") == "acme/api:1.1.0")
        #expect(world.image(of: "web") == "acme/web:1.1.0")
    }
}

/// As many meet here before any goes on.
actor Meeting {
    private let size: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(of size: Int) { self.size = size }

    func arrive() async {
        if waiting.count + 1 == size {
            for continuation in waiting { continuation.resume() }
            waiting = []
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }
}
