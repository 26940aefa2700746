import Builder
import Foundation
import OCI
import Registry
import TestSupport
import Testing

/// Layers leave while the next step runs.
@Suite(.tags(.integration), .thorough) struct UploadTests {
    /// RUN waits at a pipe until somebody opens it.
    private static let wait = "RUN --mount=type=cache,target=/c mkfifo /c/pipe && cat /c/pipe > /said\n"

    private static func pipe(_ bench: CacheBench) async throws -> String {
        var found = ""
        try await waitUntil("the step waits") {
            found =
                try Shell.run(["find", bench.bench.directory.file("one/caches"), "-name", "pipe"], allowFailure: true)
                .stdout.trimmingCharacters(in: .whitespacesAndNewlines)
            return !found.isEmpty
        }
        return found
    }

    @Test func theFirstLayerArrivesBeforeTheNextStepEnds() async throws {
        let bench = try await CacheBench()
        async let built = bench.build("FROM \(bench.base)\nCOPY a /a\n" + Self.wait, state: "one")
        let pipe = try await Self.pipe(bench)
        // The layer of COPY, while RUN waits.
        try await waitUntil("the layer arrives") {
            bench.proxy.requests.contains { $0.method == "PUT" && $0.target.contains("/app/blobs/uploads/") }
        }
        #expect(bench.proxy.requests.allSatisfy { !($0.method == "PUT" && $0.target.contains("/manifests/")) })
        try Data("arrived".utf8).write(to: URL(fileURLWithPath: pipe))
        let result = try await built
        let layer = result.image.layers[1].descriptor.digest
        let arrived = try #require(result.requests.firstIndex { $0.target.contains("digest=\(layer)") })
        let manifest = try #require(
            result.requests.firstIndex { $0.method == "PUT" && $0.path.contains("/manifests/") })
        #expect(arrived < manifest)
        #expect(manifest == result.requests.count - 1)
    }

    /// An image that is there is looked at, and neither written nor read again.
    @Test func anUnchangedImageIsNotWrittenAgain() async throws {
        let bench = try await CacheBench()
        let text = "FROM \(bench.base)\nCOPY a /a\nRUN cat /a > /b\n"
        let first = try await bench.build(text, state: "one")
        let second = try await bench.build(text, state: "one") { $0.createdAt += 1000 }
        #expect(second.trace == "cc")
        #expect(second.image.manifestDigest == first.image.manifestDigest)
        #expect(second.requests.allSatisfy { $0.method == "GET" || $0.method == "HEAD" })
        // What the base's tag points at is asked for, and known by its digest.
        #expect(second.requests.allSatisfy { $0.method == "HEAD" })
        #expect(second.requests.contains { $0.path == "/v2/base/manifests/1" })
        // The tag was moved, or the repository emptied: it is pushed.
        _ = try await bench.build("FROM \(bench.base)\nCOPY b /a\n", state: "one")
        let third = try await bench.build(text, state: "one")
        #expect(third.trace == "cc")
        #expect(third.requests.contains { $0.method == "PUT" && $0.path.hasSuffix("/app/manifests/1") })
        let fourth = try await bench.build(text, state: "one", to: "other:1")
        let put = fourth.requests.filter { $0.method == "PUT" }.map(\.path)
        #expect(put.last == "/v2/other/manifests/1")
        let seen = try Shell.run(["skopeo", "inspect", "--tls-verify=false", "docker://\(bench.server.host)/other:1"])
            .stdout
        #expect(seen.contains(first.image.manifestDigest.description))
    }

    /// A large layer is on its way before anybody knows how long it will be; what the repository has is not said twice.
    @Test func aLargeLayerLeavesWhileItIsMade() async throws {
        let bench = try await CacheBench()
        try bench.bench.write("large")
        try Shell.run(["sh", "-c", "head -c 9000000 /dev/urandom > \(bench.bench.directory.file("context/large"))"])
        let text = "FROM \(bench.base)\nCOPY large /large\nRUN cat /large /large > /twice && rm /large\n"
        let first = try await bench.build(text, state: "one")
        let sent = first.requests.filter { $0.method == "PATCH" }
        #expect(sent.count == 2)
        #expect(sent.allSatisfy { $0.headers["transfer-encoding"] == "chunked" })
        for (layer, request) in zip(first.image.layers.dropFirst(), sent) {
            #expect(Digest.sha256(of: request.body) == layer.descriptor.digest)
            #expect(request.body.count == layer.descriptor.size)
            let put = first.requests.filter {
                $0.method == "PUT" && $0.target.contains("digest=\(layer.descriptor.digest)")
            }
            #expect(put.count == 1 && put.allSatisfy(\.body.isEmpty))
        }
        let seen = try Shell.run([
            "skopeo", "copy", "--insecure-policy", "--src-tls-verify=false", "docker://\(bench.server.host)/app:1",
            "oci:\(bench.bench.directory.file("copy")):1",
        ])
        #expect(seen.status == 0)

        // Another machine makes the same: what it sent by then is given up.
        let second = try await bench.build(text, state: "two")
        #expect(second.trace == "ww")
        #expect(second.image.layers.map(\.descriptor) == first.image.layers.map(\.descriptor))
        let digests = second.image.layers.map { "digest=\($0.descriptor.digest)" }
        #expect(!second.requests.contains { request in digests.contains { request.target.contains($0) } })
        let opened = second.requests.count { $0.method == "POST" }
        let closed = second.requests.count { $0.method == "DELETE" }
        #expect(opened == closed)
        #expect(second.log.all.contains { if case .blobPushed(_, _, .existed, _) = $0 { true } else { false } })
    }

    @Test func aRefusedUploadEndsTheBuild() async throws {
        let bench = try await CacheBench()
        let refusing = try StubServer { request in
            request.method == "HEAD"
                ? .text(404, "")
                : .text(403, #"{"errors":[{"code":"DENIED","message":"the quota of team is used up"}]}"#)
        }
        var configuration = bench.access.configuration
        configuration.insecureRegistries.insert(refusing.host)
        let access = RegistryAccess(configuration: configuration, keychain: .empty)
        let builder = try Builder(
            stateDirectory: bench.bench.directory.file("one"), registry: access, report: bench.bench.report)
        var request = try bench.bench.request("FROM busybox\nCOPY a /a\n" + Self.wait)
        request.uploads = [try ImageLocation("\(refusing.host)/team/app:1")]
        // Nobody ever opens the pipe.
        let error = await #expect(throws: BuildError.self) { try await builder.build(request) { _ in } }
        #expect(error?.code == .registry)
        #expect(error?.summary.contains("\(refusing.host)/team/app") == true)
        #expect(error?.cause?.contains("the quota of team is used up") == true)
    }
}
