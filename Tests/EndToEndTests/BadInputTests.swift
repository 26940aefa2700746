import Foundation
import TestSupport
import Testing

/// What goes wrong says where, why and what to do; the other pipelines go on, and the next cycle recovers by itself.
@Suite(.tags(.endToEnd)) struct BadInputTests {
    private func failing(_ output: Shell.Output, _ texts: String...) {
        #expect(output.status == 1, "\(output.stderr)")
        for text in texts { #expect(output.stderr.contains(text), "no '\(text)' in:\n\(output.stderr)") }
    }

    @Test func `no registry`() throws {
        let loop = try Loop("no-registry")
        let port = try Server.freePort()
        let head = try loop.repository.head("master")
        let output = try loop.sync(.registry(host: "127.0.0.1:\(port)"), allowFailure: true)
        failing(output, "127.0.0.1:\(port)", "error:")
        #expect(output.stderr.components(separatedBy: "error: ").count == 2, "one clear message:\n\(output.stderr)")
        #expect(try loop.repository.head("master") == head)
        // The next cycle, with a registry, recovers.
        let images = Loop.Images.layout(path: loop.scratch.file("images"))
        try loop.sync(images)
        #expect(try loop.repository.git("rev-parse", "master^") == head)
    }

    @Test func `no repository`() throws {
        let loop = try Loop("no-repository")
        let images = Loop.Images.layout(path: loop.scratch.file("images"))
        failing(
            try loop.sync(images, url: loop.scratch.file("nowhere.git"), allowFailure: true), "nowhere.git", "hint:")
    }

    @Test func `no branch`() throws {
        let loop = try Loop("no-branch")
        let images = Loop.Images.layout(path: loop.scratch.file("images"))
        failing(try loop.sync(images, branch: "trunk", allowFailure: true), "trunk", "master")
    }

    @Test func `wrong credentials for git, never shown`() async throws {
        let loop = try Loop("credentials")
        let images = Loop.Images.layout(path: loop.scratch.file("images"))
        let server = try await GitHTTPServer(directory: loop.scratch.path, user: "ci", password: "right-secret")
        defer { server.stop() }
        let url = server.url + "/kaniko-site.git"
        let wrong = try loop.sync(
            images, url: url, environment: ["GIT_USERNAME": "ci", "GIT_PASSWORD": "wrong-secret"], allowFailure: true)
        failing(wrong, url, "hint:")
        #expect(!wrong.stderr.contains("wrong-secret"))
        let right = try loop.sync(
            images, url: url, environment: ["GIT_USERNAME": "ci", "GIT_PASSWORD": "right-secret"])
        #expect(!right.stderr.contains("right-secret"))
        let log = try FileManager.default.subpathsOfDirectory(atPath: loop.scratch.file("state"))
            .filter { !$0.contains("/objects/") && !$0.contains("blobs/") }
        for path in log {
            let bytes = FileManager.default.contents(atPath: loop.scratch.file("state/\(path)")) ?? Data()
            #expect(bytes.range(of: Data("right-secret".utf8)) == nil, "the password is in \(path)")
        }
    }

    @Test func `wrong credentials for the registry, never shown`() async throws {
        let loop = try Loop("registry-credentials")
        let registry = try await RegistryServer(
            directory: loop.scratch.file("registry"), htpasswd: ["ci": "right-secret"])
        defer { registry.stop() }
        let images = Loop.Images.registry(host: registry.host)
        let head = try loop.repository.head("master")
        func login(_ password: String) throws {
            let auth = Data("ci:\(password)".utf8).base64EncodedString()
            try Shell.run(["mkdir", "-p", loop.scratch.file("home/.docker")])
            try Data("{\"auths\":{\"\(registry.host)\":{\"auth\":\"\(auth)\"}}}".utf8)
                .write(to: URL(fileURLWithPath: loop.scratch.file("home/.docker/config.json")))
        }
        try login("wrong-secret")
        let output = try loop.sync(images, allowFailure: true)
        failing(output, registry.host, "UNAUTHORIZED", "hint:")
        #expect(!output.stderr.contains("wrong-secret"))
        #expect(try loop.repository.head("master") == head)
        try login("right-secret")
        let right = try loop.sync(images)
        #expect(!(right.stderr + right.stdout).contains("right-secret"))
        #expect(try loop.repository.git("rev-parse", "master^") == head)
    }

    @Test func `plain HTTP only where it is declared`() async throws {
        let loop = try Loop("plain-http")
        let registry = try await RegistryServer(directory: loop.scratch.file("registry"))
        defer { registry.stop() }
        let output = try loop.slipway(
            [
                "sync", "--repo", loop.repository.path, "--branch", "master", "--registry-map",
                "docker.io=\(registry.host)", "--build-context", "site-base=oci-layout://\(loop.base)", "--state-dir",
                loop.scratch.file("state"),
            ], allowFailure: true)
        failing(output, "does not speak TLS", "--insecure-registry \(registry.host)")
    }

    @Test func `a Dockerfile with an error`() throws {
        let loop = try Loop("dockerfile")
        let images = Loop.Images.layout(path: loop.scratch.file("images"))
        try loop.repository.commit(
            ["docker/Dockerfile": "FROM site-base\nRUNN echo hi\n"], branch: "master", date: Loop.date + 1)
        failing(try loop.sync(images, allowFailure: true), "Dockerfile:2", "RUNN", "RUN")
        try loop.repository.commit(
            ["docker/Dockerfile": "FROM site-base\nRUN echo hi\n"], branch: "master", date: Loop.date + 2)
        try loop.sync(images)
        #expect(try loop.repository.content(of: "workloads/site-deployment.yaml", at: "master").contains("site:v4"))
    }

    @Test func `a failing RUN step leaves nothing half-pushed, and others go on`() throws {
        let loop = try Loop("run")
        let images = Loop.Images.layout(path: loop.scratch.file("images"))
        let declaration = """
            builds:
              - name: broken
                context: broken
                destinations: [exampleorg/broken]
              - name: site
                context: docker
                destinations: [exampleorg/site]
                tags: ["v{build.number}"]
            """
        try loop.repository.commit(
            [
                ".slipway.yaml": declaration,
                "broken/Dockerfile": "FROM site-base\nRUN echo about to fail\nRUN echo why it failed >&2; exit 7\n",
            ], branch: "master", date: Loop.date + 1)
        let output = try loop.sync(images, allowFailure: true)
        failing(output, "Dockerfile:3", "exit 7", "why it failed", "7")
        #expect(!FileManager.default.fileExists(atPath: loop.scratch.file("images/exampleorg/broken/index.json")))
        #expect(try loop.repository.content(of: "workloads/site-deployment.yaml", at: "master").contains("site:v4"))
        try loop.repository.commit(
            ["broken/Dockerfile": "FROM site-base\nRUN true\n"], branch: "master", date: Loop.date + 2)
        try loop.sync(images)
        #expect(FileManager.default.fileExists(atPath: loop.scratch.file("images/exampleorg/broken/index.json")))
    }

    @Test func `a manifest that is not YAML, and a tag that does not parse`() throws {
        let loop = try Loop("manifests")
        let images = Loop.Images.layout(path: loop.scratch.file("images"))
        let bad = try loop.repository.content(of: "workloads/site-deployment.yaml", at: "master")
            .replacingOccurrences(of: "exampleorg/site:v3", with: "exampleorg/site:v3:v4")
            .replacingOccurrences(of: "site-deployment", with: "bad-tag")
        try loop.repository.commit(
            [
                "workloads/template.yaml":
                    "metadata:\n  annotations:\n    fluxcd.io/automated: \"true\"\n{{ if .x }}\n",
                "workloads/bad.yaml": bad,
            ], branch: "master", date: Loop.date + 1)
        let output = try loop.sync(images, allowFailure: true)
        failing(output, "workloads/bad.yaml:", "exampleorg/site:v3:v4", "workloads/template.yaml")
        #expect(try loop.repository.content(of: "workloads/site-deployment.yaml", at: "master").contains("site:v4"))
    }

    @Test func `an invalid policy is refused with its place`() throws {
        let loop = try Loop("policy")
        let images = Loop.Images.layout(path: loop.scratch.file("images"))
        let text = try loop.repository.content(of: "workloads/site-deployment.yaml", at: "master")
            .replacingOccurrences(
                of: "    fluxcd.io/automated: \"true\"\n",
                with: "    fluxcd.io/automated: \"true\"\n    fluxcd.io/tag.site: \"semver:>>oops\"\n")
        try loop.repository.commit(["workloads/site-deployment.yaml": text], branch: "master", date: Loop.date + 1)
        failing(try loop.sync(images, allowFailure: true), "workloads/site-deployment.yaml:", "oops")
    }

    @Test(arguments: [
        ("repositories:\n  - url: x\n    brnch: main\n", "agent.yaml:3:5", "branch"),
        ("interval: 5\nrepositories: [{url: x}]\n", "agent.yaml:1:11", "5s"),
        ("repositories: []\n", "agent.yaml:1:15", "no repository"),
        ("repositories: [{url: x, builds: [{destinations: [UPPER]}]}]\n", "agent.yaml:1:", "UPPER"),
    ])
    func `a wrong configuration`(text: String, place: String, word: String) throws {
        let loop = try Loop("config")
        let file = loop.scratch.file("agent.yaml")
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        let output = try loop.slipway(["config", "check", "--config", file], allowFailure: true)
        #expect(output.status != 0)
        #expect(output.stderr.contains(place), "\(output.stderr)")
        #expect(output.stderr.contains(word), "\(output.stderr)")
    }

    @Test func `the annotated sample is valid`() throws {
        let loop = try Loop("sample")
        let sample = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/../../config/agent.yaml"
        let output = try loop.slipway(["config", "check", "--config", sample, "--without-files"])
        #expect(output.stdout.contains("valid, 2 repositories"))
    }
}
