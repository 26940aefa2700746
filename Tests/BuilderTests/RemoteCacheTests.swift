import Builder
import Foundation
import OCI
import Registry
import TestSupport
import Testing

/// The step cache that machines share.
@Suite(.tags(.integration), .thorough) struct RemoteCacheTests {
    private static func text(_ base: String) -> String {
        """
        FROM \(base)
        COPY a /a
        RUN cat /a > /copy-of-a
        COPY b /b
        RUN cat /b > /copy-of-b
        """
    }

    @Test func anotherMachineDoesNothingAndMovesNothing() async throws {
        let bench = try await CacheBench()
        let text = Self.text(bench.base)
        let cache = try bench.cache()
        let cold = try await bench.build(text, state: "one") { $0.remoteCache = cache }
        #expect(cold.trace == "wwww")
        #expect(cold.notes.isEmpty)
        let remote = try await bench.build(text, state: "two", to: "other:1") { $0.remoteCache = cache }
        #expect(remote.trace == "cccc")
        #expect(remote.image.manifestDigest == cold.image.manifestDigest)
        #expect(remote.image.steps.map(\.source) == [.remote, .remote, .remote, .remote])
        #expect(remote.downloads(of: cold.image.layers) == 0)
        #expect(remote.uploads == 1, "the configuration")
        #expect(remote.requests.count { $0.target.contains("mount=") } == 5)
        #expect(try bench.directories("two").isEmpty)
        let warm = try await bench.build(text, state: "one") { $0.remoteCache = cache }
        #expect(warm.image.manifestDigest == cold.image.manifestDigest)
        #expect(warm.image.steps.map(\.source) == [.local, .local, .local, .local])
        let without = try await bench.build(text, state: "three")
        #expect(without.image.manifestDigest == cold.image.manifestDigest)
        print("remote cache: \(remote.requests.count) requests for 4 known steps and the push of 5 layers")

        // What a changed step needs is fetched then, and found right.
        try bench.bench.write("b", "new")
        let changed = try await bench.build(text, state: "four") { $0.remoteCache = cache }
        #expect(changed.trace == "ccww")
        #expect(changed.downloads(of: Array(cold.image.layers.prefix(3))) == 3)
        let fresh = try await bench.build(text, state: "five")
        #expect(changed.image.manifestDigest == fresh.image.manifestDigest)
        // Layers that proved true are known on this machine from then on.
        let again = try await bench.build(text, state: "four") { $0.remoteCache = nil }
        #expect(again.trace == "cccc")
    }

    @Test func aLayoutServesAsWell() async throws {
        let bench = try await CacheBench()
        let cache = try bench.cache("oci:\(bench.bench.directory.file("shared"))")
        let text = Self.text("busybox")
        let cold = try await bench.build(text, state: "one", to: nil) { $0.remoteCache = cache }
        let remote = try await bench.build(text, state: "two") { $0.remoteCache = cache }
        #expect(remote.trace == "cccc")
        #expect(remote.image.manifestDigest == cold.image.manifestDigest)
    }

    @Test func obeysItsFlags() async throws {
        let bench = try await CacheBench()
        let text = Self.text("busybox")
        let readOnly = try bench.cache { $0.isWritten = false }
        _ = try await bench.build(text, state: "one", to: nil) { $0.remoteCache = readOnly }
        #expect(try await bench.build(text, state: "two", to: nil) { $0.remoteCache = readOnly }.trace == "wwww")
        // What a machine knows already comes to the cache when it is asked for.
        let cache = try bench.cache()
        #expect(try await bench.build(text, state: "one", to: nil) { $0.remoteCache = cache }.trace == "cccc")
        #expect(try await bench.build(text, state: "three", to: nil) { $0.remoteCache = cache }.trace == "cccc")
        let none = try await bench.build(text, state: "three", to: nil) {
            $0.remoteCache = cache
            $0.noCache = true
        }
        #expect(none.trace == "wwww")
        let runs = try await bench.build(text, state: "four", to: nil) {
            $0.remoteCache = cache
            $0.cachesRuns = false
        }
        // What is copied onto a step that was done anew is copied anew: it is newer.
        #expect(runs.trace == "cwww")
        let copies = try await bench.build(text, state: "five", to: nil) {
            $0.remoteCache = cache
            $0.cachesCopies = false
        }
        #expect(copies.trace == "wcwc", "files of a directory have their own times")
        let young = try bench.cache {
            $0.age = .seconds(3600)
            $0.now += 3000
        }
        #expect(try await bench.build(text, state: "six", to: nil) { $0.remoteCache = young }.trace == "cccc")
        let old = try bench.cache {
            $0.age = .seconds(3600)
            $0.now += 4000
        }
        #expect(try await bench.build(text, state: "seven", to: nil) { $0.remoteCache = old }.trace == "wwww")
        // And what was made anew is young again.
        #expect(try await bench.build(text, state: "eight", to: nil) { $0.remoteCache = old }.trace == "cccc")
    }

    @Test func aCacheThatIsNotThereCostsNothing() async throws {
        let bench = try await CacheBench()
        let port = try Server.freePort()
        let cache = try bench.cache("127.0.0.1:\(port)/cache")
        let result = try await bench.build(Self.text("busybox"), state: "one", to: nil) { $0.remoteCache = cache }
        #expect(result.trace == "wwww")
        #expect(result.notes.count { $0.contains("not used for reading") } == 1)
        #expect(result.notes.count { $0.contains("not written to") } == 1)
    }

    /// Entries as somebody else may have put them there.
    @Test func believesNothingThatDoesNotProveTrue() async throws {
        let bench = try await CacheBench()
        let text = Self.text("busybox")
        let cache = try bench.cache()
        let cold = try await bench.build(text, state: "one", to: nil) { $0.remoteCache = cache }
        let repository = try bench.access.repository(cache.repository)
        let tags = try await repository.tags().filter { $0.count == 64 }
        #expect(tags.count == 4)
        var honest: [String: RawManifest] = [:]
        for tag in tags { honest[tag] = try await repository.manifest(.tag(tag)) }
        func spoil(_ change: (inout Manifest, String) -> Void) async throws {
            for (tag, raw) in honest {
                var manifest = try CanonicalJSON.decode(Manifest.self, from: raw.bytes)
                change(&manifest, tag)
                let bytes = try CanonicalJSON.encode(manifest)
                _ = try await repository.pushManifest(bytes, mediaType: .ociManifest, tag: tag)
            }
        }
        // The entry of another step.
        try await spoil { manifest, _ in manifest.annotations?["dev.slipway.cache.key"] = "sha256:0" }
        let moved = try await bench.build(text, state: "two", to: nil) { $0.remoteCache = cache }
        #expect(moved.trace == "wwww")
        #expect(moved.notes.contains { $0.contains("the entry of another step") })
        // A layer whose content is not what the entry says: told when it is unpacked, and done again.
        try await spoil { manifest, _ in
            manifest.annotations?["dev.slipway.cache.diff-id"] = "sha256:" + String(repeating: "1", count: 64)
        }
        let readOnly = try bench.cache { $0.isWritten = false }
        let lying = try await bench.build(text + "\nRUN true\n", state: "three", to: nil) { $0.remoteCache = readOnly }
        #expect(lying.notes.contains { $0.contains("the step cache is not used") })
        let fresh = try await bench.build(text + "\nRUN true\n", state: "four", to: nil)
        #expect(lying.image.manifestDigest == fresh.image.manifestDigest)
        #expect(try await bench.build(text, state: "three", to: nil).image.manifestDigest == cold.image.manifestDigest)
    }

    @Test func layersThatTheCacheLostAreMadeAgain() async throws {
        let bench = try await CacheBench()
        let text = Self.text("busybox")
        let cache = try bench.cache()
        let cold = try await bench.build(text, state: "one", to: nil) { $0.remoteCache = cache }
        let lost = cold.image.layers[2].descriptor.digest.encoded
        let blobs = bench.bench.directory.file("registry/data/docker/registry/v2/blobs/sha256")
        try FileManager.default.removeItem(atPath: "\(blobs)/\(lost.prefix(2))/\(lost)")
        let readOnly = try bench.cache { $0.isWritten = false }
        // Needed for the next step, and needed by the destination.
        let more = try await bench.build(text + "\nRUN true\n", state: "two", to: nil) { $0.remoteCache = readOnly }
        #expect(more.notes.contains { $0.contains("the step cache is not used") })
        let same = try await bench.build(text, state: "three") { $0.remoteCache = readOnly }
        #expect(same.image.manifestDigest == cold.image.manifestDigest)
    }
}
