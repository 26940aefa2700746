import Foundation
import TestSupport
import Testing

/// Where `slipway build` and the executor take registry credentials from.
@Suite(.tags(.endToEnd)) struct BuildCredentialTests {
    private let scratch: TemporaryDirectory
    private let registry: RegistryServer
    private static let password = "p:a s$ä"

    init() async throws {
        scratch = try TemporaryDirectory("build-credentials")
        registry = try await RegistryServer(directory: scratch.file("registry"), htpasswd: ["bot": Self.password])
        try Shell.run(["mkdir", "-p", scratch.file("context")])
        try Data("FROM scratch\nCOPY Dockerfile /\n".utf8)
            .write(to: URL(fileURLWithPath: scratch.file("context/Dockerfile")))
    }

    private func config(_ folder: String, host: String, password: String = password) throws {
        try Shell.run(["mkdir", "-p", scratch.file(folder)])
        let auth = Data("bot:\(password)".utf8).base64EncodedString()
        try Data(#"{"auths":{"\#(host)":{"auth":"\#(auth)"}}}"#.utf8)
            .write(to: URL(fileURLWithPath: scratch.file(folder + "/config.json")))
    }

    private func push(_ verb: String, _ environment: [String: String], _ extra: [String] = []) throws -> Shell.Output {
        let output = try Shell.run(
            [
                // As kaniko, the executor takes a Dockerfile of the working directory first.
                try Loop.binary, verb, "--context", scratch.file("context"), "--dockerfile",
                scratch.file("context/Dockerfile"), "--state-dir", scratch.file("state"), "--insecure", "--destination",
                "\(registry.host)/app:v1",
            ] + extra,
            environment: [
                "HOME": scratch.path, "KANIKO_DIR": scratch.file("no-kaniko"), "DOCKER_CONFIG": "",
            ].merging(environment) { $1 }, allowFailure: true)
        #expect(!output.stderr.contains("s$ä") && !output.stderr.contains("wr0ng"))
        return output
    }

    /// What GitLab gives to its jobs; kaniko's fork calls it the helper `gitlab`.
    @Test func `variables of a CI job`() throws {
        let job = [
            "CI_REGISTRY": registry.host, "CI_REGISTRY_USER": "bot", "CI_REGISTRY_PASSWORD": Self.password,
        ]
        #expect(try push("build", job, ["--credential-helpers=google,gitlab"]).status == 0)
        #expect(try push("build", job.merging(["CI_REGISTRY": "https://\(registry.host)/"]) { $1 }).status == 0)
        let wrong = try push("build", job.merging(["CI_REGISTRY_PASSWORD": "wr0ng"]) { $1 })
        #expect(wrong.status == 1 && wrong.stderr.contains("cannot push to \(registry.host)/app"))
        // What is written down for the host goes first.
        try config("docker", host: registry.host, password: "wr0ng")
        #expect(try push("executor", job.merging(["DOCKER_CONFIG": scratch.file("docker")]) { $1 }).status == 1)
        try config("docker", host: "registry.example.com")
        #expect(try push("executor", job.merging(["DOCKER_CONFIG": scratch.file("docker")]) { $1 }).status == 0)
    }

    @Test func `config.json of a directory, and of kaniko's`() throws {
        try config("docker", host: "http://\(registry.host)/v2/")
        #expect(try push("build", ["DOCKER_CONFIG": scratch.file("docker")]).status == 0)
        #expect(try push("build", ["DOCKER_CONFIG": scratch.file("docker/config.json")]).status == 0)
        try config("kaniko/.docker", host: registry.host)
        let kaniko = ["KANIKO_DIR": scratch.file("kaniko")]
        #expect(try push("executor", kaniko).status == 0)
        // Only the executor looks there, and only where nothing else is said.
        #expect(try push("build", kaniko).status == 1)
        #expect(try push("executor", kaniko.merging(["DOCKER_CONFIG": scratch.file("none")]) { $1 }).status == 1)
    }
}
