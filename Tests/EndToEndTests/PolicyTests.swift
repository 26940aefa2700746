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
            ("glob:v*", "1.2.0", nil),
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
