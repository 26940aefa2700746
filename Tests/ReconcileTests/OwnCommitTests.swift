import Agent
import AgentFakes
import Git
import Template
import TestSupport
import Testing

/// Commits with the agent's trailers that hold more than the agent's change.
@Suite(.tags(.unit)) struct OwnCommitTests {
    private static let name = "registry.example.com/acme/web"

    /// A repository whose root is the context of its build, so that its manifests count in it; its first image is rolled out.
    ///
    /// - Parameter keepsGitDirectory: the build sees the history, which the agent's commits are a part of.
    private static func world(keepsGitDirectory: Bool = false) async throws -> World {
        let world = try await World()
        world.host.commit([
            ".slipway.yaml": """
            builds:
              - name: web
                destinations: [\(name)]
                tags: ["v{build.number}"]
                keepGitDir: \(keepsGitDirectory)

            """, "Dockerfile": "FROM scratch", "main.c": "int main() {}",
            "deploy/web.yaml": World.deployment("web", image: "\(name):v0", policy: "glob:v*"),
        ])
        #expect(await world.cycle().failures.isEmpty)
        #expect(world.image(of: "web") == "\(name):v1")
        return world
    }

    private static func trailers(_ old: String, _ new: String) -> String {
        "Slipway-Update: deploy/web.yaml shop:deployment/web app \(name):\(old) \(name):\(new)"
    }

    /// What a person committed together with the agent's change from v1 to v2 of an image that others pushed.
    enum Companion: String, CaseIterable, Sendable {
        case nothing, source, newFile, removedFile, otherValue, comment, otherLine, newLine

        var isBuilt: Bool { self != .nothing }

        func files(_ manifest: String) -> [String: String?] {
            let bumped = manifest.replacing("\(OwnCommitTests.name):v1", with: "\(OwnCommitTests.name):v2")
            var files: [String: String?] = ["deploy/web.yaml": bumped]
            switch self {
            case .nothing: break
            case .source: files["main.c"] = "int main() { return 1; }"
            case .newFile: files["other.c"] = "int x;"
            case .removedFile: files["main.c"] = String?.none
            case .otherValue: files["deploy/web.yaml"] = bumped.replacing("namespace: shop", with: "namespace: site")
            case .comment: files["deploy/web.yaml"] = bumped.replacing("# followed", with: "# by a person")
            case .otherLine: files["deploy/web.yaml"] = bumped.replacing("apps/v1", with: "apps/v2")
            case .newLine: files["deploy/web.yaml"] = bumped + "# more\n"
            }
            return files
        }
    }

    @Test(arguments: Companion.allCases, [false, true])
    func `a person's change in a squashed pull request of the agent's is built`(
        companion: Companion, keepsGitDirectory: Bool
    ) async throws {
        let world = try await Self.world(keepsGitDirectory: keepsGitDirectory)
        let before = world.builder.built.count
        let manifest = try #require(world.host.text("deploy/web.yaml"))
        let squashed = world.host.commit(
            companion.files(manifest),
            message: "Auto-release \(Self.name):v2 (#12)\n\n\(Self.trailers("v1", "v2"))\nCo-authored-by: Ann <a@b>\n")
        let report = await world.cycle()
        #expect(report.failures.isEmpty)
        #expect(world.builder.built.count == before + (companion.isBuilt ? 1 : 0), "\(report.decisions)")
        // What is built is named after the commit that it comes from.
        let made = world.registry.revisions("registry.example.com/acme/web")
        #expect(made.contains(squashed.description) == companion.isBuilt)
        // And once.
        #expect(await world.cycle().images.isEmpty)
        _ = await world.cycle()
        #expect(world.builder.built.count == before + (companion.isBuilt ? 1 : 0))
    }

    /// Nothing changed but the history.
    @Test(arguments: [false, true])
    func `a commit without a change is built where the build sees the history`(keepsGitDirectory: Bool) async throws {
        let world = try await Self.world(keepsGitDirectory: keepsGitDirectory)
        let before = world.builder.built.count
        world.host.commit([:], message: "nothing")
        #expect(await world.cycle().failures.isEmpty)
        #expect(world.builder.built.count == before + (keepsGitDirectory ? 1 : 0))
        _ = await world.cycle()
        _ = await world.cycle()
        #expect(world.builder.built.count == before + (keepsGitDirectory ? 1 : 0), "the agent's own commit is none")
    }

    @Test func `a person's change in an amended commit on the agent's branch is not overwritten`() async throws {
        let world = try await World()
        world.git.push.branch = try Template("slipway/update", name: "branch")
        world.registry.push("acme/web", "1.1.0")
        world.host.commit(["deploy/web.yaml": World.deployment("web", image: "acme/web:1.0.0")])
        _ = await world.cycle()
        let branch = "slipway/update"
        #expect(world.image(of: "web", on: branch) == "acme/web:1.1.0")
        let message = try #require(world.host.messages(branch).first)
        world.host.commit(["notes.md": "a person's"], to: branch, message: message)
        world.registry.push("acme/web", "1.2.0")
        let report = await world.cycle()
        #expect(world.host.text("notes.md", on: branch) == "a person's")
        #expect(world.image(of: "web", on: branch) == "acme/web:1.1.0")
        #expect(report.reason("branch \(branch)")?.contains("somebody else") == true)
    }
}
