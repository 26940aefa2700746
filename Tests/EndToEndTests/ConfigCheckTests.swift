import Foundation
import TestSupport
import Testing

@Suite(.tags(.endToEnd)) struct ConfigCheckTests {
    private struct Report: Decodable {
        struct Problem: Decodable {
            let code: String
            let key: String
            let line: Int?
            let severity: String
        }
        struct Repository: Decodable { let name: String }

        let file: String
        let valid: Bool
        let problems: [Problem]
        let repositories: [Repository]
    }

    @Test func `problems are told on standard error and as JSON, with exit code 1`() throws {
        let loop = try Loop("config-check")
        let file = loop.scratch.file("agent.yaml")
        let text = """
            listen: localhost
            git:
              tokenFile: \(loop.scratch.path)/none
            repositories:
              - url: https://ann:s3cr3t@git.example.com/acme/shop.git
                brnch: main

            """
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        let plain = try loop.slipway(["config", "check", "--config", file], allowFailure: true)
        #expect(plain.status == 1)
        #expect(plain.stdout.isEmpty)
        for line in [
            "agent.yaml:1:9: listen: ", "agent.yaml:3:14: git.tokenFile: ", "agent.yaml:6:5: ",
            "agent.yaml: 3 problems",
        ] {
            #expect(plain.stderr.contains(line), "\(line) is not in \(plain.stderr)")
        }
        let json = try loop.slipway(["config", "check", "--config", file, "--output", "json"], allowFailure: true)
        #expect(json.status == 1)
        #expect(!(json.stdout + plain.stderr).contains("s3cr3t"))
        let report = try JSONDecoder().decode(Report.self, from: Data(json.stdout.utf8))
        #expect(!report.valid)
        #expect(report.problems.map(\.code) == ["invalid-address", "missing-file", "unknown-key"])
        #expect(report.problems.map(\.line) == [1, 3, 6])
        #expect(report.repositories.map(\.name) == ["shop"])

        let here = try loop.slipway(["config", "check", "--config", loop.scratch.file("none")], allowFailure: true)
        #expect(here.status == 1)
    }

    @Test func `a configuration without problems`() throws {
        let loop = try Loop("config-check")
        let file = loop.scratch.file("agent.yaml")
        try "repositories: [{url: \(loop.repository.path), name: site}]\n".write(
            toFile: file, atomically: true, encoding: .utf8)
        let output = try loop.slipway(["config", "check", "--config", file])
        #expect(output.stdout.hasPrefix("\(file): valid, 1 repository\n  site: main, builds as the repository says\n"))
    }

    @Test(arguments: [["sync"], ["plan"], ["registry", "tags", "a.example.com/b"]])
    func `--docker-config of a missing file is an error`(_ verb: [String]) throws {
        let loop = try Loop("docker-config")
        let output = try loop.slipway(
            verb + (verb.count == 1 ? ["--repo", loop.repository.path] : [])
                + ["--docker-config", loop.scratch.file("none/config.json")], allowFailure: true)
        #expect(output.status == 64)
        #expect(output.stderr.contains("--docker-config"), "\(output.stderr)")
        #expect(output.stderr.contains("does not exist"), "\(output.stderr)")
    }
}
