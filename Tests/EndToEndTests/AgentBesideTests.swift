import Foundation
import TestSupport
import Testing

/// Commands beside a running agent: they go through it, and print what they print without.
@Suite(.tags(.endToEnd)) struct AgentBesideTests {
    /// An agent, a repository of workloads that it watches, and commands with the same configuration.
    private final class Place: Sendable {
        let loop: GitLoop
        let configuration: String
        let state: String

        init(_ name: String, branch: String = "main") throws {
            loop = try GitLoop(name)
            try loop.standard()
            configuration = loop.scratch.file("agent.yaml")
            state = loop.scratch.file("state")
            let text = """
                stateDirectory: \(state)
                interval: 1h
                registries:
                  - {host: docker.io, map: ["oci:\(loop.images)"]}
                repositories:
                  - {name: shop, url: "\(loop.repository.path)", branch: \(branch)}

                """
            try Data(text.utf8).write(to: URL(fileURLWithPath: configuration))
        }

        private var environment: [String: String] {
            ["HOME": loop.scratch.file("home"), "DOCKER_CONFIG": loop.scratch.file("home/.docker")]
        }

        func agent() throws -> Server {
            try Server(
                [try Loop.binary, "agent", "--config", configuration], environment: environment,
                log: loop.scratch.file("agent.log"))
        }

        func run(_ arguments: String..., fails: Bool = false) throws -> Shell.Output {
            let output = try Shell.run([try Loop.binary] + arguments, environment: environment, allowFailure: true)
            #expect((output.status != 0) == fails, "\(arguments): \(output.status) \(output.stdout) \(output.stderr)")
            return output
        }

        /// With the agent's configuration.
        func configured(_ arguments: String..., fails: Bool = false) throws -> Shell.Output {
            let output = try Shell.run(
                [try Loop.binary] + arguments + ["--config", configuration], environment: environment,
                allowFailure: true)
            #expect((output.status != 0) == fails, "\(arguments): \(output.status) \(output.stdout) \(output.stderr)")
            return output
        }

        func untilIdle() async throws {
            try await waitUntil("the first cycle is over") {
                let output = try Shell.run(
                    [try Loop.binary, "status", "--state-dir", state], environment: environment, allowFailure: true)
                return output.stdout.contains("  ok  ")
            }
        }
    }

    private func json(_ output: Shell.Output) throws -> Any {
        try JSONSerialization.jsonObject(with: Data(output.stdout.utf8))
    }

    @Test func `sync, plan, status, release and lock go through the agent`() async throws {
        let place = try Place("beside")
        let agent = try place.agent()
        defer { agent.stop() }
        try await place.untilIdle()
        #expect(try place.loop.log().count == 2)

        // Nothing to do, and an idle cycle has not forgotten what was done before.
        let idle = try place.configured("sync", "--exit-code", fails: true)
        #expect(idle.status == 3)
        #expect(idle.stdout == "nothing to do\n")
        #expect(idle.stderr.contains("The agent on \(place.state) does it"))
        let status = try place.configured("status")
        #expect(status.stdout.hasPrefix("REPOSITORY  STATE  SINCE"), "\(status.stdout)")
        #expect(status.stdout.contains("Auto-release"), "\(status.stdout)")

        try place.loop.publish("acme/web", ["1.2.0"])
        let plan = try place.configured("plan")
        #expect(plan.stdout.contains("would commit: Auto-release acme/web:1.2.0"), "\(plan.stdout)")
        #expect(try place.loop.log().count == 2)

        let sync = try place.configured("sync", "--output", "json")
        let report = try Loop.report(sync)
        #expect((report["updates"] as? [[String: Any]])?.first?["new"] as? String == "acme/web:1.2.0")
        #expect(sync.stderr.contains("Commit pushed: "))
        #expect(try place.loop.log().first == "Auto-release acme/web:1.2.0")

        let release = try place.configured(
            "release", "--workload", "shop:deployment/api", "--update-image", "acme/api:1.0.0", "--force")
        #expect(release.stdout.contains("app: acme/api:1.1.0 -> 1.0.0"), "\(release.stdout)")
        #expect(release.stderr.contains("Commit pushed:\t"))
        #expect(try place.configured("status").stdout.contains("Release acme/api:1.0.0"))
        let missing = try place.configured(
            "release", "--workload", "shop:deployment/api", "--update-image", "acme/api:9.9.9", fails: true)
        #expect(missing.stderr.contains("error: image \"acme/api:9.9.9\" does not exist"), "\(missing.stderr)")

        let lock = try place.configured("lock", "-w", "shop:deployment/web", "--user", "ann", "-m", "why")
        #expect(lock.stdout.contains("shop:deployment/web  success"), "\(lock.stdout)")
        let workloads = try place.configured("workloads", "--namespace", "shop")
        #expect(workloads.stdout.contains("automated,locked"), "\(workloads.stdout)")
        let images = try place.configured("images", "-w", "shop:deployment/web")
        #expect(images.stdout.contains("'-> 1.2.0"), "\(images.stdout)")

        let overview = try json(try place.configured("status", "--output", "json")) as? [String: Any]
        let repository = (overview?["repositories"] as? [[String: Any]])?.first
        #expect(repository?["repository"] as? String == "shop")
        #expect((repository?["lastCommit"] as? [String: Any])?["commit"] != nil)
        agent.stop()
        #expect(!FileManager.default.fileExists(atPath: place.state + "/agent.sock"))
    }

    @Test func `sync prints the same with an agent and without`() async throws {
        let (alone, beside) = (try Place("alone"), try Place("with-agent"))
        let agent = try beside.agent()
        defer { agent.stop() }
        try await beside.untilIdle()
        _ = try alone.configured("sync")
        for place in [alone, beside] { try place.loop.publish("acme/web", ["1.2.0"]) }
        func lines(_ text: String) -> [String] {
            text.split(separator: "\n").map { line in
                let words = line.split(separator: " ").map { word -> String in
                    word.count == 40 && word.allSatisfy(\.isHexDigit) ? "ID" : "\(word)"
                }
                return words.joined(separator: " ")
            }
        }
        #expect(
            lines(try alone.configured("sync", "--quiet").stdout)
                == lines(try beside.configured("sync", "--quiet").stdout))
    }

    @Test func `a repository of the agent's is found by its URL, another branch is worked on beside it`() async throws {
        let place = try Place("by-url")
        try place.loop.repository.git("branch", "staging", "main")
        let agent = try place.agent()
        defer { agent.stop() }
        try await place.untilIdle()
        let flags = ["--repo", "file://" + place.loop.repository.path, "--state-dir", place.state]
        func sync(_ branch: String, _ extra: [String] = []) throws -> Shell.Output {
            try Shell.run(
                [try Loop.binary, "sync"] + flags + ["--branch", branch] + extra,
                environment: ["HOME": place.loop.scratch.file("home")], allowFailure: true)
        }
        let main = try sync("main")
        #expect(main.status == 0)
        #expect(main.stderr.contains("does it, by its own configuration\n"), "\(main.stderr)")
        let flagged = try sync("main", ["--git-push-branch", "elsewhere"])
        #expect(flagged.stderr.contains("this has no effect: --git-push-branch"), "\(flagged.stderr)")
        // The agent has the mirror open; this needs one of its own.
        let staging = try sync("staging", ["--registry-map", "docker.io=oci:\(place.loop.images)"])
        #expect(staging.status == 0, "\(staging.stderr)")
        #expect(!staging.stderr.contains("The agent on"))
        #expect(try place.loop.log("staging").first?.hasPrefix("Auto-release") == true)
        let left = try FileManager.default.contentsOfDirectory(atPath: place.state + "/git")
        #expect(!left.contains { $0.hasPrefix("tmp-") }, "\(left)")
    }

    @Test func `where no agent runs, status says so, and what a dead one left is in nobody's way`() throws {
        let place = try Place("nobody")
        let status = try place.configured("status", fails: true)
        #expect(status.status == 1)
        #expect(status.stdout.isEmpty)
        #expect(status.stderr.contains("no agent runs on \(place.state)"), "\(status.stderr)")
        #expect(try place.configured("sync").stdout.contains("commit "))
        try place.loop.publish("acme/web", ["1.2.0"])
        try Shell.run([
            "python3", "-c", "import socket; socket.socket(socket.AF_UNIX).bind('\(place.state)/agent.sock')",
        ])
        #expect(try place.configured("status", fails: true).stderr.contains("no agent runs on"))
        #expect(try place.configured("sync").stdout.contains("commit "))
    }

    @Test func `what the agent does not watch and a name that it does not know are errors`() async throws {
        let place = try Place("unknown")
        let agent = try place.agent()
        defer { agent.stop() }
        try await place.untilIdle()
        let retry = try place.configured("retry", "nobody", fails: true)
        #expect(retry.status == 1)
        #expect(retry.stderr.contains("the agent watches no repository 'nobody'"), "\(retry.stderr)")
        let none = try place.configured("retry", "shop")
        #expect(none.stdout == "shop: nothing had failed; the agent looks at it now\n")
        #expect(try place.configured("builds", "nobody", fails: true).stderr.contains("watches no repository"))
        #expect(try place.configured("builds", "shop").stdout.hasPrefix("BUILD  PIPELINE"))
    }
}
