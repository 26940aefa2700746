import Agent
import Foundation
import TestSupport
import Testing

/// Entries of one configuration: each is its own, whatever its URL.
@Suite(.tags(.integration)) struct FleetTests {
    private static func deployment(_ image: String) -> String {
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          name: web
          namespace: shop
          annotations: {fluxcd.io/automated: "true", fluxcd.io/tag.app: "semver:*"}
        spec: {template: {spec: {containers: [{name: app, image: \(image)}]}}}

        """
    }

    private struct Bench {
        let scratch: TemporaryDirectory
        let repository: GitRepositoryFixture

        init() throws {
            scratch = try TemporaryDirectory("fleet")
            repository = try GitRepositoryFixture(in: scratch.path)
            let layout = scratch.file("images/acme/web")
            try Shell.run(["mkdir", "-p", (layout as NSString).deletingLastPathComponent])
            try Shell.run(["umoci", "init", "--layout", layout])
            for tag in ["1.0.0", "1.1.0"] { try Shell.run(["umoci", "new", "--image", "\(layout):\(tag)"]) }
            try repository.commit(["deploy/web.yaml": FleetTests.deployment("acme/web:1.0.0")])
            try repository.git("branch", "staging", "main")
        }

        func configuration(_ staging: String) throws -> AgentConfiguration {
            let text = """
                stateDirectory: \(scratch.file("state"))
                git: {author: {name: Everybody, email: all@example.com}}
                registries: [{host: docker.io, map: ["oci:\(scratch.file("images"))"]}]
                repositories:
                  - {name: main, url: "\(repository.path)", branch: main}
                  - {name: staging, url: "\(repository.path)", branch: staging, git: {\(staging)}}

                """
            return try ConfigurationFile.parse(Array(text.utf8), file: "agent.yaml")
        }

        func cycles(_ staging: String) async throws -> [CycleReport] {
            let configuration = try configuration(staging)
            let fleet = try await Fleet.open(configuration) { _ in }
            var reports: [CycleReport] = []
            for entry in configuration.repositories {
                reports.append(await (try await fleet.reconciler(for: entry)).cycle(.complete) { _ in })
            }
            return reports
        }
    }

    @Test func `two entries of one repository have their own author and push branch`() async throws {
        let bench = try Bench()
        let reports = try await bench.cycles(
            "author: {name: Stager, email: stager@example.com}, push: {branch: slipway/staging}")
        #expect(reports.flatMap(\.failures).map(\.message) == [])
        #expect(try bench.repository.git("log", "-1", "--format=%an", "main") == "Everybody")
        #expect(try bench.repository.git("log", "-1", "--format=%an", "slipway/staging") == "Stager")
        // The watched branch itself is left as it was.
        #expect(try bench.repository.git("show", "staging:deploy/web.yaml").contains("acme/web:1.0.0"))
    }

    @Test func `the second entry's verification is not dropped`() async throws {
        let bench = try Bench()
        let signers = bench.scratch.file("allowed_signers")
        try Shell.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", bench.scratch.file("key")])
        let key = try String(contentsOfFile: bench.scratch.file("key.pub"), encoding: .utf8)
        try Data("slipway@example.com \(key)".utf8).write(to: URL(fileURLWithPath: signers))
        let reports = try await bench.cycles(
            "verify: {mode: head, allowedSigners: \(signers)}, "
                + "commit: {signing: {format: ssh, keyFile: \(bench.scratch.file("key"))}}")
        #expect(reports[0].failures.isEmpty)
        #expect(reports[0].commits.count == 1)
        #expect(reports[1].failures.map(\.message.isEmpty) == [false])
        #expect(reports[1].failures.first?.message.contains("is not accepted") == true)
        #expect(reports[1].failures.first?.disposition == .stalled)
        #expect(reports[1].commits.isEmpty)
    }

    @Test func `entries with other credentials have mirrors of their own`() async throws {
        let bench = try Bench()
        _ = try await bench.cycles("username: somebody")
        let folders = try FileManager.default.contentsOfDirectory(atPath: bench.scratch.file("state/git"))
            .filter { !$0.hasSuffix(".lock") }
        #expect(folders.count == 2)
        let shared = try Bench()
        _ = try await shared.cycles("author: {name: Stager}")
        let one = try FileManager.default.contentsOfDirectory(atPath: shared.scratch.file("state/git"))
            .filter { !$0.hasSuffix(".lock") }
        #expect(one.count == 1)
    }
}
