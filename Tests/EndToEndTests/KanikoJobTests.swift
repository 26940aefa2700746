import Foundation
import TestSupport
import Testing

/// The arguments of kaniko's tutorials, with only the program's name changed: `executor` is a link to slipway.
@Suite(.tags(.endToEnd)) struct KanikoJobTests {
    private let scratch: TemporaryDirectory
    private let registry: RegistryServer

    init() async throws {
        scratch = try TemporaryDirectory("kaniko-job")
        registry = try await RegistryServer(directory: scratch.file("registry"), htpasswd: ["robot": "hunter2"])
        try FileManager.default.createSymbolicLink(
            atPath: scratch.file("executor"), withDestinationPath: try Loop.binary)
        try ImageFixtures.busybox(at: scratch.file("base"))
        try Shell.run([
            "skopeo", "copy", "-q", "--dest-tls-verify=false", "--dest-creds", "robot:hunter2",
            "oci:\(scratch.file("base")):latest",
            "docker://\(registry.host)/base:1",
        ])
        let auth = Data("robot:hunter2".utf8).base64EncodedString()
        try write("kaniko/.docker/config.json", #"{"auths":{"\#(registry.host)":{"auth":"\#(auth)"}}}"#)
        try write(
            "workspace/Dockerfile",
            "FROM \(registry.host)/base:1\nARG MESSAGE=none\nCOPY app /app\nRUN echo \"$MESSAGE\" > /message\n")
        try write("workspace/app", "one\n")
    }

    private func write(_ name: String, _ text: String) throws {
        let path = scratch.file(name)
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    /// Runs the executor as a Job does: the working directory is kaniko's, credentials are mounted where KANIKO_DIR says.
    private func executor(
        _ arguments: [String], environment: [String: String] = [:], input: [UInt8]? = nil, allowFailure: Bool = false
    ) throws -> Shell.Output {
        var all = ["HOME": scratch.file("home"), "KANIKO_DIR": scratch.file("kaniko"), "DOCKER_CONFIG": ""]
        all.merge(environment) { _, new in new }
        return try Shell.run(
            [scratch.file("executor")] + arguments, in: scratch.path, environment: all, input: input,
            allowFailure: allowFailure)
    }

    private func message(_ name: String) throws -> String {
        let target = scratch.file("copy-\(UInt32.random(in: 0 ... .max))")
        try Shell.run([
            "skopeo", "copy", "-q", "--src-tls-verify=false", "--src-creds", "robot:hunter2",
            "docker://\(registry.host)/\(name)", "dir:\(target)",
        ])
        let manifest = try #require(
            try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: target + "/manifest.json")))
                as? [String: Any])
        let layers = try #require(manifest["layers"] as? [[String: Any]])
        let tree = try ImageTree(
            blobs: layers.compactMap { ($0["digest"] as? String).map { "\(target)/\($0.dropFirst("sha256:".count))" } })
        return tree["message"]?.text ?? ""
    }

    @Test func `a Job with a mounted directory, credentials, and insecure flags`() throws {
        let output = try executor([
            "--dockerfile=Dockerfile", "--context=dir://\(scratch.file("workspace"))",
            "--destination=\(registry.host)/app:v1", "--destination=\(registry.host)/app:latest", "--insecure",
            "--insecure-pull", "--skip-tls-verify", "--skip-tls-verify-pull",
            "--skip-tls-verify-registry=\(registry.host)",
            "--build-arg", "MESSAGE=two words", "--cache=false", "--cleanup", "--snapshot-mode=redo", "--use-new-run",
            "--push-retry=3", "--image-download-retry=2", "--verbosity=debug", "--log-timestamp",
            "--digest-file=\(scratch.file("out/digest"))", "--image-name-with-digest-file=\(scratch.file("out/name"))",
            "--image-name-tag-with-digest-file=\(scratch.file("out/tag"))",
        ])
        let digest = output.stdout.trimmingCharacters(in: .whitespacesAndNewlines)
        func text(_ name: String) throws -> String { try String(contentsOfFile: scratch.file(name), encoding: .utf8) }
        #expect(try text("out/digest") == digest)
        #expect(
            try text("out/name") == "\(registry.host)/app@\(digest)\n\(registry.host)/app@\(digest)\n")
        #expect(
            try text("out/tag") == "\(registry.host)/app:v1@\(digest)\n\(registry.host)/app:latest@\(digest)\n")
        #expect(output.stderr.contains("--snapshot-mode has no effect"))
        #expect(!output.stderr.contains("hunter2"))
        #expect(try message("app:v1") == "two words\n")
        #expect(try message("app:latest") == "two words\n")
        #expect(FileManager.default.fileExists(atPath: scratch.file("kaniko/slipway/content")))
    }

    @Test func `a context that is piped in, and an archive for docker`() throws {
        let archive = scratch.file("context.tar.gz")
        try Shell.run(["tar", "-C", scratch.file("workspace"), "-czf", archive, "."])
        let tar = scratch.file("image.tar")
        let piped = try executor(
            [
                "--context", "tar://stdin", "--dockerfile=Dockerfile", "--destination=example.com/acme/app:v2",
                "--no-push",
                "--tar-path=\(tar)", "--build-arg=MESSAGE=piped", "--insecure-registry", registry.host,
            ], input: [UInt8](try Data(contentsOf: URL(fileURLWithPath: archive))))
        #expect(piped.status == 0)
        let list = try Shell.run(["skopeo", "list-tags", "docker-archive:\(tar)"]).stdout
        #expect(list.contains("example.com/acme/app:v2"))
        try Shell.run([
            "skopeo", "copy", "-q", "docker-archive:\(tar):example.com/acme/app:v2", "oci:\(scratch.file("loaded")):v",
        ])
        // The same archive from a file, and its folder as sub-path.
        try Shell.run(["tar", "-C", scratch.path, "-cf", scratch.file("outer.tar"), "workspace"])
        for context in [
            ["--context=tar://\(archive)"],
            ["--context=tar://\(scratch.file("outer.tar"))", "--context-sub-path=workspace"],
        ] {
            #expect(try executor(context + ["--no-push"]).status == 0)
        }
        let empty = try executor(["--context=tar://stdin", "--no-push"], input: [], allowFailure: true)
        #expect(empty.status == 1 && empty.stderr.contains("build context is empty"))
        let cut = [UInt8](try Data(contentsOf: URL(fileURLWithPath: archive)).prefix(60))
        let broken = try executor(["--context=tar://stdin", "--no-push"], input: cut, allowFailure: true)
        #expect(broken.status == 1 && broken.stderr.contains("cannot unpack the build context"))
    }

    @Test func `a git context by reference and commit, private, the same digest on two machines`() async throws {
        let fixture = try GitRepositoryFixture(in: scratch.file("git"), name: "app.git")
        let dockerfile = "FROM \(registry.host)/base:1\nCOPY app /app\n"
        let first = try fixture.commit(
            ["Dockerfile": dockerfile, "app": "one\n", "sub/Dockerfile": dockerfile, "sub/app": "s\n"], message: "first"
        )
        try fixture.commit(["app": "two\n"], message: "second")
        let server = try await GitHTTPServer(directory: scratch.file("git"), user: "me", password: "s3cret")
        let url = "git://" + server.url.dropFirst("http://".count) + "/app.git"
        func digest(_ context: String, _ extra: [String] = [], kaniko: String = "kaniko") throws -> String {
            try executor(
                ["--context=\(url)\(context)", "--no-push", "--reproducible"] + extra,
                environment: [
                    "GIT_USERNAME": "me", "GIT_PASSWORD": "s3cret", "GIT_PULL_METHOD": "http",
                    "DOCKER_CONFIG": scratch.file("kaniko/.docker"), "KANIKO_DIR": scratch.file(kaniko),
                ]
            ).stdout
        }
        let head = try digest("#refs/heads/main")
        #expect(try digest("#refs/heads/main", kaniko: "other") == head)
        #expect(try digest("") == head)
        let old = try digest("#refs/heads/main#\(first)")
        #expect(old != head)
        #expect(try digest("#\(first)") == old)
        #expect(try digest("#refs/heads/main", ["--context-sub-path=sub"]) != head)
        let refused = try executor(
            ["--context=\(url)#refs/heads/main", "--no-push"],
            environment: ["GIT_PULL_METHOD": "http", "GIT_PASSWORD": "wr0ng"], allowFailure: true)
        #expect(refused.status == 1 && !refused.stderr.contains("wr0ng"))
    }

    @Test func `what is refused, is refused before anything is built`() throws {
        let missing = try executor(
            [
                "--context=dir://\(scratch.file("workspace"))", "--destination=\(registry.host)/app:v9",
            ], environment: ["DOCKER_CONFIG": scratch.file("nowhere")], allowFailure: true)
        #expect(missing.status == 1 && missing.stderr.contains("cannot push to"))
        #expect(!missing.stderr.contains("RUN echo"))
        let none = try executor(["--context=dir://\(scratch.file("workspace"))"], allowFailure: true)
        #expect(none.status == 64 && none.stderr.contains("--destination"))
        #expect(try executor(["version"]).stdout.hasPrefix("slipway "))
    }

    @Test func `certificates that nobody vouches for`() async throws {
        var options = RegistryServer.Options()
        options.tls = true
        let secure = try await RegistryServer(directory: scratch.file("secure"), options: options)
        try Shell.run([
            "skopeo", "copy", "-q", "--dest-tls-verify=false", "oci:\(scratch.file("base")):latest",
            "docker://\(secure.host)/base:1",
        ])
        try write("tls/Dockerfile", "FROM \(secure.host)/base:1\nLABEL a=b\n")
        func run(_ arguments: [String]) throws -> Shell.Output {
            try executor(["--context=\(scratch.file("tls"))"] + arguments, allowFailure: true)
        }
        let refused = try run(["--no-push"])
        #expect(refused.status == 1 && refused.stderr.contains("certificate"))
        #expect(try run(["--no-push", "--skip-tls-verify-pull"]).status == 0)
        #expect(try run(["--no-push", "--skip-tls-verify-registry=\(secure.host)"]).status == 0)
        #expect(
            try run(["--no-push", "--registry-certificate=\(secure.host)=\(secure.certificateAuthority)"]).status == 0)
        let push = ["--destination=\(secure.host)/app:v1"]
        #expect(try run(push + ["--skip-tls-verify-pull"]).status == 1)
        // What many manifests have, although the registry speaks TLS.
        #expect(try run(push + ["--skip-tls-verify", "--insecure"]).status == 0)
    }
}
