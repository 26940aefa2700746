import Foundation
import TestSupport
import Testing

/// Builds that fail or take long, as seen by `status`, `builds`, `logs` and `retry`.
@Suite(.tags(.endToEnd)) struct FailureRetryTests {
    private let loop: Loop
    private let images: Loop.Images

    init() throws {
        loop = try Loop("failures")
        images = .layout(path: loop.scratch.file("images"))
    }

    private func commit(step: String) throws {
        try loop.repository.checkOut("master")
        let file = loop.repository.workTree + "/docker/Dockerfile"
        try Data("FROM site-base\nRUN \(step)\n".utf8).write(to: URL(fileURLWithPath: file))
        try loop.repository.commitWorkTree(branch: "master", message: "another step", date: Loop.date + 60)
    }

    private func agent() throws -> Server {
        try Server(
            [
                try Loop.binary, "agent", "--repo", loop.repository.path, "--branch", "master", "--build-context",
                "site-base=oci-layout://\(loop.base)", "--state-dir", loop.scratch.file("state"),
            ] + images.flags, environment: ["HOME": loop.scratch.file("home")], log: loop.scratch.file("agent.log"))
    }

    private func ask(_ arguments: String...) throws -> Shell.Output {
        try loop.slipway(arguments + ["--state-dir", loop.scratch.file("state")], allowFailure: true)
    }

    private struct Build: Decodable {
        let id: String
        let state: String
    }

    private func builds() throws -> [Build] {
        let output = try ask("builds", "kaniko-site", "--output", "json")
        return try JSONDecoder().decode([Build].self, from: Data(output.stdout.utf8))
    }

    @Test func `a failing step is built once for each content, and retry frees it`() async throws {
        try commit(step: "echo before; exit 7")
        let agent = try agent()
        defer { agent.stop() }
        try await waitUntil("the build has failed") {
            let status = try ask("status")
            return status.stdout.contains("  stalled  ") && status.stdout.contains("'slipway retry kaniko-site'")
        }
        for _ in 1...2 {
            let sync = try loop.sync(images, allowFailure: true)
            #expect(sync.status == 1)
            #expect(sync.stderr.contains("the same content is not built again"), "\(sync.stderr)")
        }
        #expect(try builds().map(\.state) == ["failed"])
        let id = try #require(try builds().first?.id)
        let log = try ask("logs", id)
        #expect(log.status == 0)
        #expect(log.stdout.contains("| before\n"), "\(log.stdout)")
        // A build that is not in the history.
        let other = try ask("logs", "20200101000000-00001-aaaaaa")
        #expect(other.status == 1)
        #expect(other.stderr.contains("history has no build"), "\(other.stderr)")

        #expect(try ask("retry", "kaniko-site").stdout == "kaniko-site: the agent tries it again\n")
        try await waitUntil("it is built again") { try builds().map(\.state) == ["failed", "failed"] }

        try commit(step: "echo fine > /srv/index.html")
        #expect(try loop.sync(images).status == 0)
        #expect(try ask("status").stdout.contains("  ok  "))
        #expect(try builds().map(\.state) == ["succeeded", "failed", "failed"])
    }

    @Test func `without an agent, retry edits what is remembered`() throws {
        try commit(step: "exit 7")
        for _ in 1...2 { #expect(try loop.sync(images, allowFailure: true).status == 1) }
        #expect(try builds().map(\.state) == ["failed"])
        #expect(try ask("retry", "kaniko-site", "nothing").status == 1)
        #expect(try ask("retry", "kaniko-site").stdout == "kaniko-site: the next sync tries it again\n")
        #expect(try loop.sync(images, allowFailure: true).status == 1)
        #expect(try builds().map(\.state) == ["failed", "failed"])
        let none = try ask("retry", "other")
        #expect(none.status == 1)
        #expect(none.stderr.contains("no failure of 'other' is remembered"), "\(none.stderr)")
    }

    @Test func `a sync that is ended leaves the agent at work`() async throws {
        let agent = try agent()
        defer { agent.stop() }
        try await waitUntil("the first image is rolled out") {
            try loop.repository.git("log", "-1", "--format=%s", "master").hasPrefix("Auto-release")
                && ask("status").stdout.contains("  ok  ")
        }
        let before = try builds().count
        try commit(step: "sleep 3; echo fine > /srv/index.html")
        let sync = try Server(
            [
                try Loop.binary, "sync", "--repo", loop.repository.path, "--branch", "master", "--state-dir",
                loop.scratch.file("state"),
            ], environment: ["HOME": loop.scratch.file("home")], log: loop.scratch.file("sync.log"))
        try await waitUntil("the build runs") { try builds().first?.state == "running" }
        sync.stop()
        let id = try #require(try builds().first?.id)
        // To its end.
        #expect(try ask("logs", "--follow", id).stdout.contains("Pushed docker.io/"))
        try await waitUntil("its image is rolled out") {
            try loop.repository.git("log", "-1", "--format=%s", "master").hasPrefix("Auto-release")
        }
        #expect(try builds().count == before + 1)
    }

    @Test func `status during a build tells what is built and since when`() async throws {
        try commit(step: "sleep 600")
        let agent = try agent()
        defer { agent.stop() }
        try await waitUntil("the build runs") { try ask("status").stdout.contains(" (running)") }
        let status = try ask("status")
        #expect(status.stdout.contains("  building  "), "\(status.stdout)")
        #expect(try builds().map(\.state) == ["running"])
        let json = try ask("status", "--output", "json").stdout
        let overview = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
        #expect((overview?["queue"] as? [[String: Any]])?.first?["state"] as? String == "running")
        #expect((overview?["repositories"] as? [Any])?.count == 1)
        agent.stop()
        // What was cut off is no failure.
        #expect(try builds().map(\.state) == ["cancelled"])
    }
}
