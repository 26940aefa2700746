import Foundation
import TestSupport
import Testing

/// `slipway warm`, and the builds that follow.
@Suite(.tags(.endToEnd)) struct WarmCommandTests {
    @Test func `bases come from the warmed directory, tags from the registry`() async throws {
        let scratch = try TemporaryDirectory("warm")
        let registry = try await RegistryServer(directory: scratch.file("registry"))
        try ImageFixtures.busybox(at: scratch.file("base"))
        let flags = ["copy", "-q", "--dest-tls-verify=false", "oci:\(scratch.file("base")):latest"]
        try Shell.run(["skopeo"] + flags + ["docker://\(registry.host)/base:1"])
        try FileManager.default.createDirectory(atPath: scratch.file("context"), withIntermediateDirectories: true)
        let text = "ARG VERSION\nFROM \(registry.host)/base:$VERSION\nRUN echo hi > /hi\n"
        try text.write(toFile: scratch.file("context/Dockerfile"), atomically: true, encoding: .utf8)
        func slipway(_ arguments: [String], allowFailure: Bool = false) throws -> Shell.Output {
            try Shell.run(
                [try Loop.binary] + arguments, environment: ["HOME": scratch.path], allowFailure: allowFailure)
        }
        let cache = scratch.file("cache")
        let insecure = ["--insecure-registry", registry.host]
        let warm = [
            "warm", "-d", scratch.file("context/Dockerfile"), "--build-arg=VERSION=1", "-c", cache,
            "--customPlatform=linux/amd64",
        ]
        async let one = Task { try slipway(warm + insecure) }.value
        async let two = Task {
            try slipway(["warmer", "--image=\(registry.host)/base:1", "--cache-dir=\(cache)"] + insecure)
        }.value
        let (first, second) = (try await one.stdout, try await two.stdout)
        #expect(first.hasPrefix("\(registry.host)/base:1 sha256:") && first == second)
        // Once more: nothing is fetched. With --force, what is damaged is.
        #expect(!(try slipway(warm + insecure).stderr.contains("fetched")))
        let blobs = "\(cache)/\(registry.host)/base/blobs/sha256"
        let largest = try Shell.run(["sh", "-c", "ls -S \(blobs) | head -1"]).stdout.trimmingCharacters(
            in: .whitespacesAndNewlines)
        try Shell.run(["sh", "-c", "printf x | dd of=\(blobs)/\(largest) bs=1 seek=100 conv=notrunc 2>/dev/null"])
        #expect(try slipway(warm + insecure + ["--force"]).stderr.contains("fetched sha256:\(largest)"))
        // The registry's layers go away: a build finds them in the directory, and another does not find them.
        try Shell.run(["sh", "-c", "find \(registry.directory)/data -path '*blobs*' -name data -size +100k -delete"])
        let build = ["build", "-c", scratch.file("context"), "--no-push", "--build-arg=VERSION=1"] + insecure
        #expect(try slipway(build + ["--state-dir", scratch.file("s1"), "--cache-dir", cache]).status == 0)
        #expect(try slipway(build + ["--state-dir", scratch.file("s2")], allowFailure: true).status == 1)
        let missing = try slipway(
            ["warm", "--image=\(registry.host)/none:1", "-c", cache] + insecure, allowFailure: true)
        #expect(missing.status == 1 && missing.stderr.contains("no such image"))
        #expect(try slipway(["warm"], allowFailure: true).status == 64)
    }
}
