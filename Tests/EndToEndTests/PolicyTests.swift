import Foundation
import TestSupport
import Testing

/// Workloads that run other people's images: nothing is built, tags are polled and chosen by policy.
@Suite(.tags(.endToEnd)) struct PolicyTests {
    private func deployment(_ name: String, image: String, filter: String?) -> String {
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          name: \(name)
          annotations:
            fluxcd.io/automated: 'true'
        \(filter.map { "    fluxcd.io/tag.app: \"\($0)\"" } ?? "    example.com/none: x")
        spec:
          template:
            spec:
              containers:
              - {name: app, image: "\(image)"}   # chosen by policy

        """
    }

    /// An image of its own for each tag, with a creation time.
    private func publish(_ tags: [(String, String)], to registry: RegistryServer, scratch: TemporaryDirectory) throws {
        for (tag, created) in tags {
            let layout = scratch.file("layout-\(tag)")
            try Shell.run(["umoci", "init", "--layout", layout])
            try Shell.run(["umoci", "new", "--image", "\(layout):\(tag)"])
            try Shell.run([
                "umoci", "config", "--image", "\(layout):\(tag)", "--created", created, "--config.label", "tag=\(tag)",
            ])
            try Shell.run([
                "skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", "oci:\(layout):\(tag)",
                "docker://\(registry.host)/acme/app:\(tag)",
            ])
        }
    }

    @Test(
        arguments: [
            // filter, running, chosen
            ("semver:~1.2", "1.2.0", "1.2.10"), ("semver:>=1.0 <3", "1.2.0", "2.0.0"), ("glob:1.2.*", "1.2.0", "1.2.3"),
            ("1.2.*", "1.2.0", "1.2.3"), (nil, "1.2.0", "2.0.0"), ("semver:^9", "1.2.0", nil),
            ("glob:v*", "1.2.0", nil), ("regexp:^1[.]2[.]", "1.2.0", "1.2.3"),
            ("numerical:asc", "1.2.0", nil), ("alphabetical:desc", "1.2.10", "1.2.0"),
        ] as [(String?, String, String?)])
    func `the policy chooses`(filter: String?, running: String, chosen: String?) async throws {
        let scratch = try TemporaryDirectory("policy")
        let registry = try await RegistryServer(directory: scratch.file("registry"))
        defer { registry.stop() }
        // 1.2.3 was made after 1.2.10: versions and times disagree.
        try publish(
            [
                ("1.2.0", "2024-01-01T00:00:00Z"), ("1.2.10", "2024-02-01T00:00:00Z"),
                ("1.2.3", "2024-03-01T00:00:00Z"), ("2.0.0", "2024-04-01T00:00:00Z"),
                ("2.1.0-rc.1", "2023-01-01T00:00:00Z"),
            ], to: registry, scratch: scratch)
        let repository = try GitRepositoryFixture(in: scratch.path)
        let before = deployment("web", image: "\(registry.host)/acme/app:\(running)", filter: filter)
        let head = try repository.commit(["deploy/web.yaml": before, "README.md": "x"])
        let output = try Shell.run(
            [
                try Loop.binary, "sync", "--repo", repository.path, "--branch", "main", "--insecure-registry",
                registry.host, "--state-dir", scratch.file("state"),
            ], environment: ["HOME": scratch.file("home")])
        guard let chosen else {
            #expect(try repository.head() == head)
            #expect(output.stderr.contains("not updated:"))
            return
        }
        let after = before.replacingOccurrences(of: "app:\(running)\"", with: "app:\(chosen)\"")
        #expect(try repository.content(of: "deploy/web.yaml") == after)
        #expect(try repository.git("rev-parse", "main^") == head)
        #expect(
            try repository.git("log", "-1", "--format=%s")
                == "Auto-release \(registry.host)/acme/app:\(chosen)")
    }
}

/// `slipway policy`, as a person types it.
@Suite(.tags(.endToEnd)) struct PolicyCommandTests {
    private func policy(_ arguments: String..., input: String = "", status: Int32 = 0) throws -> Shell.Output {
        let output = try Shell.run(
            [try Loop.binary, "policy"] + arguments, input: Array(input.utf8), allowFailure: true)
        #expect(output.status == status, "\(arguments): \(output.stdout)\(output.stderr)")
        return output
    }

    @Test func `tags from standard input`() throws {
        let versions = "1.4.9\r\n\n1.10.0\n2.0.0\n1.11.0-rc.1\nlatest"
        #expect(try policy("select", "--semver", "^1", input: versions).stdout == "1.10.0\n")
        let none = try policy("select", "--semver", "^3", input: versions, status: 3)
        #expect(none.stdout == "" && none.stderr.contains("none of 5 tags is a version in '^3'"))
        let dated = "v1\t2024-05-01T10:00:00Z\nv2\t2024-04-01T12:00:00+02:00\nx\t2025-01-01T00:00:00Z\n"
        #expect(try policy("select", "--glob", "v*", input: dated).stdout == "v1\n")
        #expect(try policy("select", "--newest-build", "--exclude", "^x", input: dated).stdout == "v1\n")
        let explained = try policy(
            "select", "--filter", "^main-(?P<n>[0-9]+)$", "--extract", "$n", "--numerical", "asc", "--explain",
            input: "main-7\nmain-12\ndev-99\n")
        #expect(explained.stdout == "main-12\n")
        #expect(explained.stderr.contains("dev-99: refused: does not match '^main-(?P<n>[0-9]+)$'\n"))
        #expect(
            try policy(
                "select", "--dialect", "keel", "--policy", "patch", "--current", "1.2.3", input: "1.2.4\n1.3.0\n"
            ).stdout == "1.2.4\n")
        #expect(
            try policy("select", "--semver", "*", "--dialect", "flux2", input: "1.2\n", status: 3).stderr
                .contains("none of 1 tag"))
        #expect(try policy("select", "--semver", "*", status: 3).stderr.contains("no tags on standard input"))
    }

    @Test func `verdicts as JSON`() throws {
        let output = try policy(
            "select", "--semver", "*", "--current", "1.3.0", "--output", "json", input: "1.2.3\nmain\n", status: 3)
        let value = try #require(
            try JSONSerialization.jsonObject(with: Data(output.stdout.utf8)) as? [String: Any])
        #expect(value["tag"] is NSNull)
        #expect((value["reason"] as? String)?.contains("downgrade from 1.3.0") == true)
        let verdicts = try #require(value["verdicts"] as? [[String: String]])
        #expect(verdicts.map { $0["tag"] } == ["1.2.3", "main"])
        #expect(verdicts.map { $0["outcome"] } == ["refused", "refused"])
        #expect(verdicts[1]["reason"] == "not a version")
    }

    @Test func `ranges are checked`() throws {
        #expect(try policy("check-semver", "~1.4", "v1.4.9").stdout == "true\n")
        let early = try policy("check-semver", "~1.4", "1.4.5-rc.1", status: 3)
        #expect(early.stdout == "false\n" && early.stderr.contains("pre-release"))
        let outside = try policy("check-semver", "~1.4", "1.5.0-rc.1", status: 3)
        #expect(outside.stdout == "false\n" && outside.stderr.contains("not in '~1.4'"))
        #expect(try policy("check-semver", "x.y", "1", status: 64).stderr.contains("range of versions"))
        #expect(try policy("check-semver", "*", "1.2", "--dialect", "flux2", status: 3).stdout == "false\n")
    }

    @Test func `wrong use is explained`() throws {
        for (arguments, words) in [
            (["select"], "say what to choose by"), (["select", "--semver", "1", "--numerical", "asc"], "one order"),
            (["select", "--regexp", "(a"], "at character 1"), (["select", "--numerical", "up"], "asc"),
            (["select", "--glob", "*", "--dialect", "flux2"], "Flux v2 needs an order"),
            (["select", "--dialect", "keel", "--policy", "minor"], "--current"),
            (["select", "--extract", "$1", "--numerical", "asc"], "extract from"),
        ] as [([String], String)] {
            let output = try Shell.run(
                [try Loop.binary, "policy"] + arguments, input: Array("v1\n".utf8), allowFailure: true)
            #expect(output.status == 64 && output.stderr.contains(words), "\(output.stderr)")
        }
    }
}
