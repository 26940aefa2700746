import OCI
import Registry
import RegistryPoller
import Synchronization
import TestSupport
import Testing

private let arm = Platform(os: "linux", architecture: "arm64")
private let amd = Platform(os: "linux", architecture: "amd64")

private func poller(_ repository: FakeRepository, concurrency: Int = 4) -> RegistryPoller {
    RegistryPoller(concurrency: concurrency) { _ in repository }
}

@Suite(.tags(.unit)) struct ScanTests {
    @Test func `every tag with its digest, time and annotations`() async throws {
        let repository = FakeRepository()
        let first = try repository.add("v1", created: "2020-05-23T15:30:04Z", annotations: [Annotation.revision: "abc"])
        try repository.add("v2", created: nil)
        let inventory = try await poller(repository).scan(repository.location)
        #expect(inventory.repository == repository.location)
        #expect(inventory.tags.map(\.tag) == ["v1", "v2"])
        #expect(
            inventory.tags[0]
                == TagRecord(
                    tag: "v1", digest: first.digest, created: 1_590_247_804, annotations: [Annotation.revision: "abc"],
                    platforms: [amd]))
        #expect(inventory.tags[1].created == nil)
        #expect(inventory.tags[1].problem == nil)
    }

    @Test func `only the names when no more is needed`() async throws {
        let repository = FakeRepository()
        try repository.add("v1")
        let inventory = try await poller(repository).scan(repository.location, needsCreationTime: false)
        #expect(inventory.tags == [TagRecord(tag: "v1")])
        #expect(repository.requests == ["tags"])
    }

    @Test func `one image is looked at`() async throws {
        let repository = FakeRepository()
        let first = try repository.add("v1", created: "2020-05-23T15:30:04Z")
        try repository.add("v2")
        let poller = poller(repository)
        let record = try await poller.look(at: "v1", in: repository.location)
        #expect(record.digest == first.digest && record.created == 1_590_247_804 && record.problem == nil)
        #expect(repository.requests == ["blob", "manifest v1"])
        #expect(try await poller.look(at: "v1", in: repository.location) == record)
        #expect(repository.requests == ["digest v1"])
        #expect(
            try await poller.look(at: "v3", in: repository.location).problem
                == "the registry lists the tag and has no manifest for it")
        #expect(
            try await poller.look(at: "v2", in: repository.location, platforms: [arm]).problem
                == "it exists for linux/amd64, not for linux/arm64")
        repository.fail("manifest v9", .unavailable, isTransient: true)
        await #expect(throws: PollError.self) { try await poller.look(at: "v9", in: repository.location) }
    }

    @Test func `a scan that is said to be out of date will not do, whenever it began`() async throws {
        let repository = FakeRepository()
        for number in 1...40 { try repository.add("v\(number)") }
        let poller = poller(repository)
        _ = try await poller.scan(repository.location, reuse: 60)
        _ = repository.requests
        _ = try await poller.scan(repository.location, reuse: 60)
        #expect(repository.requests == [])
        let moved = try repository.add("v7", created: "2021-01-01T00:00:00Z")
        await poller.expire("v7", in: repository.location)
        let inventory = try await poller.scan(repository.location, reuse: 60)
        // The tag's name does not say that it moves, and its repository is a large one.
        #expect(inventory.tags.first { $0.tag == "v7" }?.digest == moved.digest)
        #expect(repository.requests.contains("tags"))
        _ = try await poller.scan(repository.location, reuse: 60)
        #expect(repository.requests == [])
        // One of which nothing is known, and a tag that is not there, change nothing.
        await poller.expire("v7", in: .registry(host: "registry.example.com", path: "other"))
        await poller.expire("none", in: repository.location)
        #expect(try await poller.scan(repository.location, reuse: 60).tags.count == 40)
    }

    @Test func `who only looks at what is known makes it no younger for others`() async throws {
        let repository = FakeRepository()
        try repository.add("v1")
        let poller = poller(repository)
        // Nothing was known: it is asked for once, and does for the next one who looks.
        #expect(try await poller.scan(repository.location, reuse: .max).tags.map(\.tag) == ["v1"])
        _ = repository.requests
        try repository.add("v2")
        #expect(try await poller.scan(repository.location, reuse: .max).tags.map(\.tag) == ["v1"])
        #expect(repository.requests == [])
        #expect(try await poller.scan(repository.location, reuse: 3_600).tags.map(\.tag) == ["v1", "v2"])
        #expect(repository.requests.contains("tags"))
        // What a cycle scanned stays as young as it was.
        #expect(try await poller.scan(repository.location, reuse: .max).tags.count == 2)
        _ = try await poller.scan(repository.location, reuse: 3_600)
        #expect(repository.requests == [])
    }

    @Test func `a second scan reads only what is new or moved`() async throws {
        let repository = FakeRepository()
        try repository.add("v1", created: "2020-01-01T00:00:00Z")
        try repository.add("v2", created: "2020-01-02T00:00:00Z")
        try repository.add("gone", created: "2020-01-03T00:00:00Z")
        let poller = poller(repository)
        let before = try await poller.scan(repository.location)
        #expect(
            repository.requests
                == ["blob", "blob", "blob", "manifest gone", "manifest v1", "manifest v2", "tags"])
        _ = try await poller.scan(repository.location)
        #expect(repository.requests == ["digest gone", "digest v1", "digest v2", "tags"])

        try repository.add("v2", created: "2020-02-02T00:00:00Z")
        try repository.add("v3", created: "2020-01-01T00:00:00Z")  // the same image as v1
        repository.state.withLock { $0.tags["gone"] = nil }
        let after = try await poller.scan(repository.location)
        #expect(repository.requests == ["blob", "digest v1", "digest v2", "manifest v2", "manifest v3", "tags"])
        #expect(after.tags.map(\.tag) == ["v1", "v2", "v3"])
        #expect(after.tags[0] == before.tags[1])
        #expect(after.tags[1].created == 1_580_601_600)
        #expect(after.tags[2].digest == after.tags[0].digest)
    }

    @Test func `Slipway's own images need no configuration`() async throws {
        let repository = FakeRepository()
        let annotations = [Annotation.contentKey: "k1", Annotation.created: "1970-01-02T00:00:00Z"]
        try repository.add("v1", annotations: annotations)
        let inventory = try await poller(repository).scan(repository.location)
        #expect(inventory.tags[0].created == 86_400)
        #expect(repository.requests == ["manifest v1", "tags"])
        // A wanted platform has to be looked at all the same.
        _ = try await RegistryPoller { _ in repository }.scan(repository.location, platforms: [amd])
        #expect(repository.requests == ["blob", "manifest v1", "tags"])
    }

    @Test func `signatures, attestations and impossible names are left out`() async throws {
        let repository = FakeRepository()
        try repository.add("v1")
        for tag in ["sha256-\(String(repeating: "0", count: 64)).sig", "v1.sig", "-x", "a/b", ""] {
            try repository.add(tag)
        }
        #expect(try await poller(repository).scan(repository.location).tags.map(\.tag) == ["v1"])
    }

    @Test func `as many requests at once as allowed, and no more`() async throws {
        let repository = FakeRepository()
        for number in 1...40 { try repository.add("v\(number)", created: "2020-01-01T00:00:\(number + 10)Z") }
        let inventory = try await poller(repository, concurrency: 3).scan(repository.location)
        #expect(inventory.tags.count == 40)
        #expect((1...3).contains(repository.state.withLock(\.mostRunning)))
    }

    @Test func `an empty repository`() async throws {
        let repository = FakeRepository()
        #expect(try await poller(repository).scan(repository.location).tags.isEmpty)
    }
}

@Suite(.tags(.unit)) struct PlatformScanTests {
    private func multi(_ repository: FakeRepository, annotations: [String: String]? = nil) throws {
        let one = try repository.add(
            nil, created: "2020-01-01T00:00:00Z",
            annotations: [Annotation.source: "amd", Annotation.version: "amd", "other": "x"],
            platform: amd)
        let two = try repository.add(
            nil, created: "2020-01-02T00:00:00Z", annotations: [Annotation.source: "arm"], platform: arm)
        var attestation = try repository.add(nil, created: "2030-01-01T00:00:00Z")
        attestation.platform = Platform(os: "unknown", architecture: "unknown")
        let index = ImageIndex(manifests: [attestation, two, one], annotations: annotations)
        repository.add(try CanonicalJSON.encode(index), .ociIndex, tag: "v1")
    }

    @Test func `an index is looked at for the platform`() async throws {
        let repository = FakeRepository()
        try multi(repository)
        let record = try await poller(repository).scan(repository.location, platforms: [amd]).tags[0]
        #expect(record.created == 1_577_836_800)
        #expect(record.platforms == [arm, amd])
        #expect(record.annotations == [Annotation.source: "amd", Annotation.version: "amd"])
        let digest = repository.state.withLock { $0.tags["v1"] }
        #expect(record.digest == digest)
    }

    @Test func `with several platforms the newest counts, and the index has the last word`() async throws {
        let repository = FakeRepository()
        try multi(repository, annotations: [Annotation.version: "index"])
        let record = try await poller(repository).scan(repository.location, platforms: [amd, arm]).tags[0]
        #expect(record.created == 1_577_923_200)
        #expect(record.annotations == [Annotation.source: "amd", Annotation.version: "index"])
    }

    @Test func `a platform that is missing is a problem of the tag`() async throws {
        let repository = FakeRepository()
        try multi(repository)
        try repository.add("v2", platform: amd)
        try repository.add("v3", platform: arm)
        let wanted = Platform(os: "linux", architecture: "riscv64")
        let poller = poller(repository)
        let records = try await poller.scan(repository.location, platforms: [wanted]).tags
        #expect(records[0].problem == "it exists for linux/arm64, linux/amd64, not for linux/riscv64")
        #expect(records[1].problem == "it exists for linux/amd64, not for linux/riscv64")
        // What is wanted is part of what is remembered.
        #expect(
            try await poller.scan(repository.location, platforms: [arm]).tags.map { $0.problem == nil } == [
                true, false, true,
            ])
    }

    @Test func `without a wish the first image will do`() async throws {
        let repository = FakeRepository()
        let image = try repository.add(
            nil, created: "2020-01-01T00:00:00Z", platform: Platform(os: "linux", architecture: "s390x"))
        repository.add(try CanonicalJSON.encode(ImageIndex(manifests: [image])), .ociIndex, tag: "v1")
        #expect(try await poller(repository).scan(repository.location).tags[0].created == 1_577_836_800)
    }
}

@Suite(.tags(.unit)) struct ScanFailureTests {
    @Test(arguments: [
        RegistryError.Code.unavailable, .unauthorized, .denied, .rateLimited, .tls, .plainHTTPRefused, .io, .cancelled,
    ])
    func `a registry that cannot be asked fails the scan`(code: RegistryError.Code) async throws {
        for request in ["tags", "manifest v1", "blob"] {
            let repository = FakeRepository()
            try repository.add("v1")
            try repository.add("v2", created: "2021-01-01T00:00:00Z")
            repository.fail(request, code, isTransient: code == .unavailable)
            let error = await #expect(throws: PollError.self) { try await poller(repository).scan(repository.location) }
            #expect(error?.cause == "told to")
            #expect(error?.code == (code == .cancelled ? .cancelled : request == "tags" ? .list : .read))
            #expect(error?.isTransient == (code == .unavailable))
            // And the next one recovers.
            repository.fail(request, nil)
            #expect(try await poller(repository).scan(repository.location).tags.count == 2)
        }
    }

    @Test(arguments: [0, 61, 90_000, Int.max])
    func `a registry that asks to wait is told with the time of day`(seconds: Int) async throws {
        let repository = FakeRepository()
        try repository.add("v1")
        repository.fail("tags", .rateLimited, isTransient: true, retryAfter: seconds)
        let error = await #expect(throws: PollError.self) { try await poller(repository).scan(repository.location) }
        let hint = try #require(error?.hint)
        let form = /the registry asks to wait until ([01][0-9]|2[0-3]):[0-5][0-9] UTC/
        #expect(hint.wholeMatch(of: form) != nil, "\(hint)")
        repository.fail("tags", .unavailable, isTransient: true, retryAfter: seconds)
        let other = await #expect(throws: PollError.self) { try await poller(repository).scan(repository.location) }
        #expect(other != nil && other?.hint == nil)
    }

    @Test(arguments: [RegistryError.Code.notFound, .invalidContent, .digestMismatch, .tooLarge, .unsupported])
    func `an image that is broken is a problem of its tag`(code: RegistryError.Code) async throws {
        let repository = FakeRepository()
        try repository.add("v1")
        try repository.add("v2", created: "2021-01-01T00:00:00Z")
        repository.fail("manifest v1", code)
        let records = try await poller(repository).scan(repository.location).tags
        #expect(records[0].problem == "told to")
        #expect(records[0].digest == nil)
        #expect(records[1].problem == nil)
        let selection = try ImagePolicy.parse("glob:*").select(from: records.map { TagCandidate($0) }, current: nil)
        #expect(selection.tag == "v2")
    }

    @Test func `documents that are not what they should be`() async throws {
        let repository = FakeRepository()
        repository.add(Array("{}".utf8), .ociManifest, tag: "a")
        repository.add(Array("[".utf8), .ociIndex, tag: "b")
        repository.add(try CanonicalJSON.encode(ImageIndex(manifests: [])), .ociIndex, tag: "c")
        try repository.add("d", configType: MediaType("application/vnd.cncf.helm.config.v1+json"))
        let missing = Descriptor(mediaType: .ociManifest, of: [1])
        repository.add(try CanonicalJSON.encode(ImageIndex(manifests: [missing])), .ociIndex, tag: "e")
        repository.add(
            try CanonicalJSON.encode(Manifest(config: Descriptor(mediaType: .ociConfig, of: [2]), layers: [])),
            .ociManifest, tag: "f")
        repository.state.withLock { $0.tags["g"] = missing.digest }
        try repository.add("h", created: "yesterday")
        let records = try await poller(repository).scan(repository.location).tags
        #expect(records.map { $0.problem != nil } == [true, true, true, true, true, true, true, false])
        #expect(
            records[3].problem == "it is not an image: its configuration is application/vnd.cncf.helm.config.v1+json")
        #expect(records[6].problem == "the registry lists the tag and has no manifest for it")
        #expect(records[7].created == nil)
    }
}

/// Over real layouts, written by this machine's tools.
@Suite(.tags(.integration)) struct LayoutScanTests {
    @Test func `a layout on disk is scanned like a registry`() async throws {
        let scratch = try TemporaryDirectory("poller")
        let path = scratch.file("images/acme/app")
        try ImageFixtures.image(at: path, tag: "v1", layerTars: [])
        let poller = RegistryPoller(
            registry: RegistryAccess(
                configuration: {
                    var configuration = RegistryConfiguration()
                    configuration.maps = [(from: "docker.io", to: ["oci:\(scratch.file("images"))"])]
                    return configuration
                }()))
        let asked = try RepositoryLocation("acme/app")
        let inventory = try await poller.scan(asked)
        #expect(inventory.repository == asked)
        #expect(inventory.tags.map(\.tag) == ["v1"])
        #expect(inventory.tags[0].created == 1_500_000_000)
        #expect(inventory.tags[0].problem == nil)
        #expect(try await poller.scan(RepositoryLocation("acme/other")).tags.isEmpty)
    }
}
