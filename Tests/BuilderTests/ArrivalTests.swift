import Builder
import Foundation
import OCI
import Registry
import TestSupport
import Testing

/// A base is unpacked while it arrives: what goes wrong with its arrival must not show in the image.
@Suite(.tags(.integration), .thorough) struct ArrivalTests {
    private static func text(_ bench: CacheBench) -> String {
        "FROM \(bench.base)\nRUN cat /bin/busybox | wc -c > /size\n"
    }

    /// The place of the layer's download among the requests of a build that starts from nothing.
    private static func download(_ requests: [StubRequest], of layer: String) throws -> Int {
        try #require(requests.firstIndex { $0.method == "GET" && $0.path.hasSuffix(layer) }) + 1
    }

    @Test(arguments: Fault.allCases)
    func whateverHappensToTheDownload(_ fault: Fault) async throws {
        let bench = try await CacheBench(stallTimeout: 1)
        let whole = try await bench.build(Self.text(bench), state: "whole", to: nil)
        let layer = "\(whole.image.layers[0].descriptor.digest)"
        bench.proxy.spoil(try Self.download(whole.requests, of: layer), with: fault)
        let spoiled = try await bench.build(Self.text(bench), state: "spoiled", to: nil)
        #expect(spoiled.image.layers.map(\.diffID) == whole.image.layers.map(\.diffID))
        // It was that very request, and it was made good.
        let downloads = spoiled.requests.count { $0.method == "GET" && $0.path.hasSuffix(layer) }
        #expect(downloads > 1)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: bench.bench.directory.file("spoiled/builds")).isEmpty)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: bench.bench.directory.file("spoiled/content/ingest"))
                .isEmpty)
    }

    /// The layer is a good archive, only not the one that the manifest names.
    @Test func anotherLayerThanPromised() async throws {
        let bench = try await CacheBench()
        let whole = try await bench.build(Self.text(bench), state: "whole", to: nil)
        let digest = whole.image.layers[0].descriptor.digest.encoded
        let file = bench.bench.directory.file("other.tar.gz")
        try Shell.run(["sh", "-c", "tar -C / -cz etc/hostname > \(file)"])
        let blob = try Shell.run(["find", bench.bench.directory.file("registry"), "-path", "*\(digest)/data"]).stdout
        try Shell.run(["cp", file, blob.trimmingCharacters(in: .whitespacesAndNewlines)])
        let error = await #expect(throws: BuildError.self) {
            try await bench.build(Self.text(bench), state: "other", to: nil)
        }
        #expect(error?.code == .registry)
        let layers = try FileManager.default.contentsOfDirectory(atPath: bench.bench.directory.file("other/layers"))
        #expect(layers.allSatisfy { $0.hasSuffix(".lock") })
    }

    /// Where nothing was built before, the base is there before the context is read.
    @Test func theBaseComesWhileTheContextIsRead() async throws {
        let bench = try await CacheBench()
        let text = "FROM \(bench.base)\nCOPY a /a\nRUN cat /a > /b\n"
        let result = try await bench.build(text, state: "slow") { request in
            request.context = WrappedContext(inner: request.context) {
                try await waitUntil("the base is unpacked") { try !bench.directories("slow").isEmpty }
            }
        }
        #expect(result.trace == "ww")
        // A context that cannot be read ends it all, and nothing is left.
        let error = await #expect(throws: BuildError.self) {
            try await bench.build(text, state: "broken") { request in
                request.context = WrappedContext(inner: request.context) { throw BuildError(.missingSource, "no disk") }
            }
        }
        #expect(error?.code == .missingSource)
        let left = try FileManager.default.contentsOfDirectory(atPath: bench.bench.directory.file("broken/builds"))
        #expect(left.isEmpty)
    }

    /// Who waits for a download that does not go on can be stopped.
    @Test func aBuildThatWaitsForItsBaseCanBeStopped() async throws {
        let bench = try await CacheBench()
        let whole = try await bench.build(Self.text(bench), state: "whole", to: nil)
        let layer = "\(whole.image.layers[0].descriptor.digest)"
        let number = try Self.download(whole.requests, of: layer)
        bench.proxy.spoil(number, with: .stalled)
        let build = Task { try await bench.build(Self.text(bench), state: "stalled", to: nil) }
        try await waitUntil("the download begins") { bench.proxy.count >= number }
        build.cancel()
        let error = await #expect(throws: BuildError.self) { try await build.value }
        #expect(error?.code == .cancelled)
    }
}
