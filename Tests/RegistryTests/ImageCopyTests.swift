import ContentStore
import Diagnostics
import OCI
import Synchronization
import TestSupport
import Testing

@testable import Registry

/// From a registry or a layout into another of either kind.
private struct Direction: Sendable, CustomTestStringConvertible {
    let from: RepositoryKind
    let to: RepositoryKind

    var testDescription: String { "\(from) to \(to)" }

    static let all = RepositoryKind.allCases.flatMap { from in
        RepositoryKind.allCases.map { Direction(from: from, to: $0) }
    }
}

/// Two places that one access reaches.
private struct Places {
    let source: RepositoryFixture
    let target: RepositoryFixture
    let access: RegistryAccess
    let scratch: TemporaryDirectory

    init(_ direction: Direction) async throws {
        scratch = try TemporaryDirectory("copy")
        source = try await RepositoryFixture(direction.from)
        target = try await RepositoryFixture(direction.to)
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = Set([source.server?.host, target.server?.host].compactMap { $0 })
        access = RegistryAccess(configuration: configuration, keychain: .empty)
    }

    func copy(
        _ from: ImageLocation, _ to: ImageLocation, platforms: [Platform] = []
    ) async throws -> ImageCopy.Report {
        try await ImageCopy(registry: access, platforms: platforms, scratch: scratch.path).run(from: from, to: to)
    }

    func from(_ name: String, tag: String? = nil, digest: Digest? = nil) throws -> ImageLocation {
        ImageLocation(repository: try source.location(name), tag: tag, digest: digest)
    }

    func to(_ name: String, tag: String? = nil, digest: Digest? = nil) throws -> ImageLocation {
        ImageLocation(repository: try target.location(name), tag: tag, digest: digest)
    }

    /// What is left in the directory for blobs on their way.
    var leftovers: String { get throws { try Shell.run(["ls", "-A", scratch.path]).stdout } }

    /// An index of three platforms, tagged `multi`, and the digests of its parts.
    func index() async throws -> (digest: Digest, parts: [Digest]) {
        let repository = try source.repository("app")
        var entries: [Descriptor] = []
        for name in ["linux/amd64", "linux/arm/v7", "linux/arm64"] {
            let platform = try Platform(name)
            let (manifest, bytes) = try source.image("for \(name)", platform: platform)
            for descriptor in manifest.layers + [manifest.config] {
                _ = try await repository.pushBlob(descriptor, from: source.store, mountFrom: [], progress: nil)
            }
            let digest = try await repository.pushManifest(bytes, mediaType: .ociManifest, tag: nil)
            entries.append(
                Descriptor(mediaType: .ociManifest, digest: digest, size: Int64(bytes.count), platform: platform))
        }
        let bytes = try CanonicalJSON.encode(ImageIndex(manifests: entries, annotations: ["kept": "yes"]))
        let digest = try await repository.pushManifest(bytes, mediaType: .ociIndex, tag: "multi")
        return (digest, entries.map(\.digest))
    }
}

@Suite(.tags(.integration), .thorough) struct ImageCopyTests {
    @Test(arguments: Direction.all)
    fileprivate func anImageArrivesWhole(_ direction: Direction) async throws {
        let places = try await Places(direction)
        let digest = try await places.source.push("cargo", to: places.source.repository("app"), tag: "v1")
        let report = try await places.copy(places.from("app", tag: "v1"), places.to("copy"))
        #expect(report.digest == digest)
        #expect(report.manifests == 1)
        #expect(report.existed == 0)
        #expect(report.mounted + report.uploaded == 2)
        let target = try places.access.repository(places.target.location("copy"))
        #expect(try await target.digest(ofTag: "v1") == digest, "the source's tag is kept")
        let image = try #require(try await target.resolve(tag: "v1", digest: nil, .host))
        let store = try ContentStore(path: places.scratch.file("pulled"))
        try await target.fetchBlob(image.manifest.layers[0], into: store, progress: nil)
        #expect(store.contains(image.manifest.layers[0].digest))
        let again = try await places.copy(places.from("app", tag: "v1"), places.to("copy", tag: "v2"))
        #expect(again.existed == 2 && again.uploaded == 0 && again.bytes == 0)
        #expect(try await target.tags().sorted() == ["v1", "v2"])
        #expect(try places.leftovers == "pulled\n")
    }

    @Test(arguments: Direction.all)
    fileprivate func indexesAreCopiedWholeOrInPart(_ direction: Direction) async throws {
        let places = try await Places(direction)
        let (digest, parts) = try await places.index()
        let whole = try await places.copy(places.from("app", tag: "multi"), places.to("whole"))
        #expect(whole.digest == digest && whole.manifests == 4)
        let arm = try Platform("linux/arm64")
        let one = try await places.copy(places.from("app", tag: "multi"), places.to("one"), platforms: [arm])
        #expect(one.digest == parts[2] && one.manifests == 1 && one.mediaType == .ociManifest)
        let some = try await places.copy(
            places.from("app", tag: "multi"), places.to("some"), platforms: [try Platform("linux/amd64"), arm])
        #expect(some.mediaType == .ociIndex && some.manifests == 3 && some.digest != digest)
        let target = try places.access.repository(places.target.location("some"))
        let raw = try #require(try await target.manifest(.tag("multi")))
        let index = try CanonicalJSON.decode(ImageIndex.self, from: raw.bytes)
        #expect(index.manifests.map(\.digest) == [parts[0], parts[2]])
        #expect(index.annotations == ["kept": "yes"])
        #expect(try await target.manifest(.digest(parts[1])) == nil, "the other part stays where it was")
        let error = await #expect(throws: RegistryError.self) {
            _ = try await places.copy(
                places.from("app", tag: "multi"), places.to("none"), platforms: [try Platform("linux/s390x")])
        }
        #expect(error?.code == .platformMissing)
        #expect(try await places.access.repository(places.target.location("none")).tagList() == nil)
    }

    @Test func oneRegistryMountsInsteadOfMoving() async throws {
        let fixture = try await RepositoryFixture(.registry)
        let digest = try await fixture.push("cargo", to: fixture.repository("app"), tag: "v1")
        let events = Mutex<[ImageCopy.Event]>([])
        let copy = ImageCopy(registry: fixture.access, scratch: fixture.scratch.path) { event in
            events.withLock { $0.append(event) }
        }
        let report = try await copy.run(
            from: ImageLocation(repository: fixture.location("app"), tag: "v1"),
            to: ImageLocation(repository: fixture.location("team/copy"), tag: "v9"))
        #expect(report.mounted == 2 && report.uploaded == 0 && report.bytes == 0)
        #expect(events.withLock { $0.last } == .manifest(digest, tag: "v9"))
    }

    @Test func namesDecide() async throws {
        let places = try await Places(Direction(from: .registry, to: .layout))
        let digest = try await places.source.push("cargo", to: places.source.repository("app"), tag: "v1")
        let byDigest = try await places.copy(places.from("app", digest: digest), places.to("bare"))
        #expect(byDigest.digest == digest)
        #expect(try await places.target.repository("bare").tags() == [], "nobody gave it a tag")
        _ = try await places.copy(places.from("app", tag: "v1"), places.to("sure", digest: digest))
        let wrong = await #expect(throws: RegistryError.self) {
            _ = try await places.copy(places.from("app", tag: "v1"), places.to("wrong", digest: .sha256(of: [])))
        }
        #expect(wrong?.code == .digestMismatch && wrong?.cause == "it is \(digest)")
        let missing = await #expect(throws: RegistryError.self) {
            _ = try await places.copy(places.from("app", tag: "v2"), places.to("missing"))
        }
        #expect(missing?.code == .notFound)
        let other = await #expect(throws: RegistryError.self) {
            _ = try await places.copy(
                places.from("app", tag: "v1"), places.to("other"), platforms: [try Platform("linux/s390x")])
        }
        #expect(other?.code == .platformMissing, "a manifest without an index has a platform too")
    }

    /// A blob whose bytes are wrong in a layout gets nowhere, and the tag does not move.
    @Test(arguments: RepositoryKind.allCases)
    func damageDoesNotSpread(_ kind: RepositoryKind) async throws {
        let places = try await Places(Direction(from: .layout, to: kind))
        let source = try places.source.repository("app")
        try await places.source.push("cargo", to: source, tag: "v1")
        let image = try #require(try await source.resolve(tag: "v1", digest: nil, .host))
        let blob = places.source.scratch.file("layouts/app/blobs/sha256/\(image.manifest.layers[0].digest.encoded)")
        try Shell.run(["sh", "-c", "printf X | dd of='\(blob)' bs=1 conv=notrunc 2>/dev/null"])
        let error = await #expect(throws: RegistryError.self) {
            _ = try await places.copy(places.from("app", tag: "v1"), places.to("copy"))
        }
        #expect(error?.code == .digestMismatch || error?.code == .invalidContent, "\(String(describing: error))")
        #expect(try await places.target.repository("copy").digest(ofTag: "v1") == nil)
    }

    @Test func skopeoAgrees() async throws {
        let places = try await Places(Direction(from: .registry, to: .registry))
        _ = try await places.index()
        let source = try #require(places.source.server).host
        let target = try #require(places.target.server).host
        // A Docker manifest list, as another tool makes it.
        try Shell.run([
            "skopeo", "--insecure-policy", "copy", "-q", "--all", "--format", "v2s2", "--src-tls-verify=false",
            "--dest-tls-verify=false", "docker://\(source)/app:multi", "docker://\(source)/docker:list",
        ])
        let report = try await places.copy(places.from("docker", tag: "list"), places.to("docker"))
        #expect(report.mediaType == .dockerManifestList)
        let seen = try Shell.run(["skopeo", "inspect", "--raw", "--tls-verify=false", "docker://\(target)/docker:list"])
        #expect(Digest.sha256(of: Array(seen.stdout.utf8)) == report.digest)
        for architecture in ["amd64", "arm64"] {
            try Shell.run([
                "skopeo", "--insecure-policy", "--override-arch", architecture, "copy", "-q", "--src-tls-verify=false",
                "docker://\(target)/docker:list", "dir:\(places.scratch.file(architecture))",
            ])
        }
    }
}
