import Foundation
import TestSupport

/// A repository whose workloads follow images of a layout directory: nothing is built, so that a test is about the commits.
final class GitLoop: Sendable {
    let scratch: TemporaryDirectory
    let repository: GitRepositoryFixture
    let images: String

    init(_ name: String) throws {
        scratch = try TemporaryDirectory(name)
        repository = try GitRepositoryFixture(in: scratch.path)
        images = scratch.file("images")
    }

    static func deployment(_ name: String, image: String, container: String = "app") -> String {
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          name: \(name)
          namespace: shop
          annotations:
            fluxcd.io/automated: "true"
            fluxcd.io/tag.\(container): semver:*
        spec:
          template:
            spec:
              containers:
                - name: \(container)
                  image: \(image)   # followed

        """
    }

    /// An image with these tags.
    func publish(_ name: String, _ tags: [String]) throws {
        let layout = "\(images)/\(name)"
        if !FileManager.default.fileExists(atPath: layout) {
            try Shell.run(["mkdir", "-p", (layout as NSString).deletingLastPathComponent])
            try Shell.run(["umoci", "init", "--layout", layout])
        }
        for tag in tags {
            try Shell.run(["umoci", "new", "--image", "\(layout):\(tag)"])
            try Shell.run(["umoci", "config", "--image", "\(layout):\(tag)", "--config.label", "tag=\(name)-\(tag)"])
        }
    }

    /// Two workloads, api and web, of acme/api:1.0.0 and acme/web:1.0.0; 1.1.0 of both is published.
    func standard() throws {
        try publish("acme/web", ["1.0.0", "1.1.0"])
        try publish("acme/api", ["1.0.0", "1.1.0"])
        try repository.commit([
            "deploy/web.yaml": Self.deployment("web", image: "acme/web:1.0.0"),
            "deploy/api.yaml": Self.deployment("api", image: "acme/api:1.0.0"),
        ])
    }

    @discardableResult
    func sync(
        _ extra: [String] = [], url: String? = nil, state: String = "state", verb: String = "sync",
        environment: [String: String] = [:], allowFailure: Bool = false
    ) throws -> Shell.Output {
        try run(
            [
                verb, "--repo", url ?? repository.path, "--branch", "main", "--registry-map", "docker.io=oci:\(images)",
                "--state-dir", scratch.file(state),
            ] + extra, environment: environment, allowFailure: allowFailure)
    }

    /// The same with a configuration file, whose `git:` part is given.
    @discardableResult
    func sync(
        configuration git: String, url: String? = nil, state: String = "state", verb: String = "sync",
        extra: [String] = [], environment: [String: String] = [:], allowFailure: Bool = false
    ) throws -> Shell.Output {
        let file = scratch.file("agent.yaml")
        let text = """
            stateDirectory: \(scratch.file(state))
            git:
            \(git.split(separator: "\n", omittingEmptySubsequences: false).map { "  " + $0 }.joined(separator: "\n"))
            registries:
              - {host: docker.io, map: ["oci:\(images)"]}
            repositories:
              - {name: shop, url: "\(url ?? repository.path)", branch: main}

            """
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        return try run([verb, "--config", file] + extra, environment: environment, allowFailure: allowFailure)
    }

    private func run(
        _ arguments: [String], environment: [String: String], allowFailure: Bool
    ) throws -> Shell.Output {
        var all = ["HOME": scratch.file("home"), "DOCKER_CONFIG": scratch.file("home/.docker")]
        all.merge(environment) { _, new in new }
        return try Shell.run([try Loop.binary] + arguments, environment: all, allowFailure: allowFailure)
    }

    func log(_ range: String = "main", _ format: String = "%s") throws -> [String] {
        try repository.git("log", "--format=\(format)", range).split(separator: "\n").map(String.init)
    }
}
