import Builder
import Foundation
import OCI
import Registry
import TestSupport
import Testing

/// What is done without the layers of the base image.
@Suite(.tags(.integration), .thorough) struct BaseLayerTests {
    @Test func metadataAndLinkedCopiesNeedNothingOfTheBase() async throws {
        let bench = try await CacheBench()
        let text =
            "FROM \(bench.base)\nENV a=b\nLABEL c=d\nUSER app\nCOPY --link a /srv/a\nCOPY --link --chown=5:6 b /data/b\n"
        let result = try await bench.build(text, state: "one")
        let base = Array(result.image.layers.prefix(1))
        #expect(result.downloads(of: base) == 0)
        #expect(result.requests.count { $0.target.contains("mount=\(base[0].descriptor.digest)") } == 1)
    }

    /// The index of a base's files is made once; then neither its layers nor a directory of them is needed.
    @Test func copiesNeedTheNamesOnly() async throws {
        let bench = try await CacheBench()
        let text = """
            FROM \(bench.base)
            WORKDIR /data/work
            COPY a .
            COPY --chown=app:extra a /etc/passwd.d/
            COPY b /bin/b
            COPY b /srv/old.txt
            """
        let first = try await bench.build(text, state: "one")
        let base = Array(first.image.layers.prefix(1))
        #expect(first.downloads(of: base) == 1, "streamed once")
        // Not unpacked: of the base there is a tree of empty files.
        let state = bench.bench.directory.file("one")
        let trees = try bench.directories("one").filter { $0.hasPrefix("t") }
        #expect(trees.count == 1)
        let busybox = try Shell.run(["sh", "-c", "stat -c %s \(state)/layers/t*/fs/bin/busybox"]).stdout
        #expect(busybox == "0\n")
        // As if the whole base had been there: RUN needs its contents, and both builds have the same layers.
        let whole = try await bench.build(text + "\nRUN true\n", state: "two")
        #expect(
            whole.image.layers.dropLast().map(\.descriptor) == first.image.layers.map(\.descriptor))

        // The blobs and the trees may go; the index is enough.
        let base64 = base[0].descriptor.digest.encoded
        try FileManager.default.removeItem(atPath: "\(state)/content/blobs/sha256/\(base64)")
        try FileManager.default.removeItem(atPath: "\(state)/layers")
        try bench.bench.write("a", "changed")
        let second = try await bench.build(text, state: "one")
        #expect(second.trace == "cwwww")
        #expect(second.downloads(of: base) == 0)
        #expect(
            second.image.manifestDigest == (try await bench.build(text, state: "three")).image.manifestDigest)
    }

    /// A machine that has nothing finds the index in the shared cache.
    @Test func indexesAreShared() async throws {
        let bench = try await CacheBench()
        let text = "FROM \(bench.base)\nRUN mkdir -p /made && ln -s /made /link && echo x > /made/x\nCOPY a /link/\n"
        let cache = try bench.cache()
        let first = try await bench.build(text, state: "one") { $0.remoteCache = cache }
        try bench.bench.write("a", "changed")
        let second = try await bench.build(text, state: "two") { $0.remoteCache = cache }
        #expect(second.trace == "cw")
        #expect(second.downloads(of: first.image.layers) == 0, "\(second.requests.map { $0.method + " " + $0.target })")
        let fresh = try await bench.build(text, state: "three")
        #expect(second.image.manifestDigest == fresh.image.manifestDigest)
        let names = try Shell.run([
            "sh", "-c",
            "tar -tzf \(bench.bench.directory.file("two/content/blobs/sha256/\(second.image.layers[2].descriptor.digest.encoded)"))",
        ]).stdout
        #expect(names == "made/\nmade/a\n")
    }

    /// Two registries: the layers pass through, and are not unpacked.
    @Test func anotherRegistryGetsTheLayersAsTheyAre() async throws {
        let bench = try await CacheBench()
        let other = try await RegistryServer(directory: bench.bench.directory.file("other"))
        let text = "FROM \(bench.base)\nCOPY --link a /a\n"
        var configuration = bench.access.configuration
        configuration.insecureRegistries.insert(other.host)
        let access = RegistryAccess(configuration: configuration, keychain: .empty)
        let builder = try Builder(
            stateDirectory: bench.bench.directory.file("one"), registry: access, report: bench.bench.report)
        let image = try await builder.build(try bench.bench.request(text)) { _ in }
        _ = try await builder.push(image, to: [try ImageLocation("\(other.host)/app:1")]) { _ in }
        #expect(try bench.directories("one").count == 1, "the new layer's")
        let seen = try Shell.run(["skopeo", "inspect", "--tls-verify=false", "docker://\(other.host)/app:1"]).stdout
        #expect(seen.contains("\(image.manifestDigest)"))
    }
}
