import Foundation
import TestSupport
import Testing

/// How often a build tries again what a registry refused by chance.
@Suite(.tags(.endToEnd)) struct BuildRetryTests {
    private let scratch: TemporaryDirectory
    private let registry: RegistryServer
    private let proxy: FaultProxy

    init() async throws {
        scratch = try TemporaryDirectory("build-retry")
        registry = try await RegistryServer(directory: scratch.file("registry"))
        proxy = try FaultProxy(before: registry.port)
        try Shell.run(["mkdir", "-p", scratch.file("context")])
    }

    private func build(_ dockerfile: String, _ arguments: [String], state: String) throws -> Shell.Output {
        try Data(dockerfile.utf8).write(to: URL(fileURLWithPath: scratch.file("context/Dockerfile")))
        return try Shell.run(
            [
                try Loop.binary, "build", "--context", scratch.file("context"), "--state-dir", scratch.file(state),
                "--insecure-registry", proxy.host,
            ] + arguments, environment: ["HOME": scratch.path], allowFailure: true)
    }

    /// A method and what it is about.
    @Sendable private static func kind(_ request: StubRequest) -> String? {
        for part in ["/uploads/", "/manifests/", "/blobs/"] where request.path.contains(part) {
            return (request.method == "HEAD" ? "GET" : request.method) + " " + part
        }
        return nil
    }

    @Test func pushing() throws {
        for (index, (times, kinds, flags, isDone)) in [
            (2, ["PUT /uploads/", "PUT /manifests/"], ["--push-retry=2"], true),
            (2, ["POST /uploads/"], ["--push-retry=2"], true),
            (2, ["PUT /manifests/"], ["--push-retry", "1", "--image-download-retry=9"], false),
            (1, ["PUT /uploads/"], ["--push-retry=0"], false),
        ].enumerated() {
            proxy.fail(times) { Self.kind($0).flatMap { kinds.contains($0) ? $0 : nil } }
            // A layer of its own each time, which is not there yet.
            let output = try build(
                "FROM scratch\nCOPY Dockerfile /\nLABEL n=\(index)\n",
                ["--destination", "\(proxy.host)/app:v\(index)"] + flags, state: "state")
            #expect(output.status == (isDone ? 0 : 1), "\(output.stderr)")
            let failed = proxy.failuresByKind
            #expect(kinds.allSatisfy { failed[$0] == times }, "\(failed)")
            let found = try Shell.run(
                ["skopeo", "inspect", "--raw", "--tls-verify=false", "docker://\(registry.host)/app:v\(index)"],
                allowFailure: true)
            #expect((found.status == 0) == isDone)
            if !isDone { #expect(output.stderr.contains("500") && output.stderr.contains("\(proxy.host)/app")) }
        }
    }

    @Test func pulling() throws {
        try ImageFixtures.busybox(at: scratch.file("base"))
        try Shell.run([
            "skopeo", "copy", "-q", "--dest-tls-verify=false", "oci:\(scratch.file("base")):latest",
            "docker://\(registry.host)/base:1",
        ])
        for (index, (times, kinds, flags, isDone)) in [
            (2, ["GET /manifests/", "GET /blobs/"], ["--image-download-retry=2"], true),
            (2, ["GET /manifests/"], ["--image-download-retry", "1", "--push-retry=9"], false),
            // kaniko gets layers while it unpacks them, and tries that again by a flag of its own.
            (2, ["GET /blobs/"], ["--image-download-retry=0", "--image-fs-extract-retry=2"], true),
        ].enumerated() {
            proxy.fail(times) { Self.kind($0).flatMap { kinds.contains($0) ? $0 : nil } }
            let output = try build(
                "FROM \(proxy.host)/base:1\nWORKDIR /w\n", ["--no-push"] + flags, state: "state-\(index)")
            #expect(output.status == (isDone ? 0 : 1), "\(flags): \(output.stderr)")
            let failed = proxy.failuresByKind
            #expect(kinds.allSatisfy { failed[$0] == times }, "\(flags): \(failed)")
            if !isDone { #expect(output.stderr.contains("500") && output.stderr.contains("Dockerfile:1:1")) }
        }
    }

    @Test func `a number that is none`() throws {
        let output = try build("FROM scratch\n", ["--no-push", "--image-fs-extract-retry=-1"], state: "state")
        #expect(output.status == 64 && output.stderr.contains("--image-fs-extract-retry"), "\(output.stderr)")
    }
}
