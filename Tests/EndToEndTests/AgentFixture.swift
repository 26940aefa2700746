import Foundation
import TestSupport

/// Repositories, a base image, a place for images, and a configuration file for an agent over them.
final class AgentFixture: Sendable {
    let scratch: TemporaryDirectory
    let base: String
    let port: Int
    /// What the steps of this fixture's builds have in their environment, and nothing else has.
    let mark: String

    init(_ name: String) throws {
        scratch = try TemporaryDirectory(name)
        base = scratch.file("base")
        try ImageFixtures.busybox(at: base)
        port = try Server.freePort()
        mark = "mark-" + UUID().uuidString
    }

    var configurationFile: String { scratch.file("agent.yaml") }

    /// A repository that builds `app` and follows its image.
    ///
    /// - Parameter step: the command of its RUN step.
    func repository(_ name: String, step: String) throws -> GitRepositoryFixture {
        let repository = try GitRepositoryFixture(in: scratch.path, name: "\(name).git")
        try repository.commit([
            ".slipway.yaml": """
            builds:
              - name: app
                context: app
                destinations: [acme/\(name)]
                tags: ["v{build.number}"]

            """,
            "app/Dockerfile": "FROM busybox\nENV MARK=\(mark)\nCOPY number /number\nRUN \(step)\n",
            "app/number": "0\n",
            "deploy/\(name).yaml": """
            apiVersion: apps/v1
            kind: Deployment
            metadata:
              name: \(name)
              annotations:
                fluxcd.io/automated: "true"
                fluxcd.io/tag.app: glob:v*
            spec:
              template:
                spec:
                  containers:
                    - name: app
                      image: acme/\(name):v0

            """,
        ])
        return repository
    }

    /// The configuration's text.
    ///
    /// - Parameter registries: where docker.io is; a layout directory of the fixture's by default.
    func configuration(
        _ repositories: [String], interval: String = "1s", format: String = "logfmt", registries: String? = nil
    ) -> String {
        let entries = repositories.map { name in
            """
              - name: \(name)
                url: "\(scratch.file("\(name).git"))"
                contexts: {busybox: "oci-layout://\(base)"}

            """
        }.joined()
        return """
            stateDirectory: \(scratch.file("state"))
            interval: \(interval)
            listen: 127.0.0.1:\(port)
            log: {format: \(format)}
            registries:
            \(registries ?? "  - {host: docker.io, map: [\"oci:\(scratch.file("images"))\"]}")
            repositories:
            \(entries)
            """
    }

    func write(_ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: configurationFile))
    }

    /// Starts the agent; its log goes on where the last one's ended.
    func start(log: String = "agent.log") throws -> Server {
        try Server(
            [try Loop.binary, "agent", "--config", configurationFile], environment: environment,
            log: scratch.file(log))
    }

    var environment: [String: String] {
        ["HOME": scratch.file("home"), "DOCKER_CONFIG": scratch.file("home/.docker"), "GIT_TERMINAL_PROMPT": "0"]
    }

    func get(_ path: String) throws -> (status: String, body: String) {
        let output = try Shell.run(
            ["curl", "-s", "-m", "10", "-w", "\n%{http_code}", "http://127.0.0.1:\(port)\(path)"], allowFailure: true)
        let lines = output.stdout.split(separator: "\n", omittingEmptySubsequences: false)
        return (String(lines.last ?? ""), lines.dropLast().joined(separator: "\n"))
    }

    /// The state of each repository, by its name; empty when the agent does not answer.
    func states() throws -> [String: String] {
        let answer = try? JSONSerialization.jsonObject(with: Data(get("/api/v1/status").body.utf8)) as? [String: Any]
        let list = answer?["repositories"] as? [[String: Any]]
        return Dictionary(
            uniqueKeysWithValues: (list ?? []).compactMap { entry in
                guard let name = entry["repository"] as? String, let state = entry["state"] as? String else {
                    return nil
                }
                return (name, state)
            })
    }

    /// The image that a repository's workload runs.
    func image(of name: String, in repository: GitRepositoryFixture, at revision: String = "main") throws -> String {
        let text = try repository.content(of: "deploy/\(name).yaml", at: revision)
        return text.split(separator: "\n").first { $0.contains("image: ") }
            .map { String($0.split(separator: " ").last ?? "") } ?? ""
    }

    /// The processes of this fixture's steps, and what these have started.
    func steps() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { process in
            guard Int(process) != nil,
                let environment = FileManager.default.contents(atPath: "/proc/\(process)/environ")
            else { return false }
            return String(decoding: environment, as: UTF8.self).contains("MARK=\(mark)")
        }
    }
}
