import ContentStore
import OCI
import TestSupport
import Testing

@testable import Registry

/// What every kind of repository does.
@Suite(.tags(.integration), .thorough) struct RepositoryConformanceTests {
    @Test(arguments: RepositoryKind.allCases)
    func emptyIsNotAnError(_ kind: RepositoryKind) async throws {
        let fixture = try await RepositoryFixture(kind)
        let repository = try fixture.repository("nothing/here")
        #expect(try await repository.tags() == [])
        #expect(try await repository.manifest(.tag("v1")) == nil)
        #expect(try await repository.manifest(.digest(.sha256(of: [1]))) == nil)
        #expect(try await repository.defaultManifest() == nil)
        #expect(try await repository.digest(ofTag: "v1") == nil)
        #expect(try await !repository.hasBlob(.sha256(of: [1])))
    }

    @Test(arguments: RepositoryKind.allCases)
    func whatIsPushedComesBack(_ kind: RepositoryKind) async throws {
        let fixture = try await RepositoryFixture(kind)
        let repository = try fixture.repository("team/app")
        let (manifest, bytes) = try fixture.image("hello")
        let counted = Counter()
        for descriptor in manifest.layers + [manifest.config] {
            let outcome = try await repository.pushBlob(descriptor, from: fixture.store, mountFrom: []) {
                counted.set($0)
            }
            #expect(outcome == .uploaded)
            #expect(counted.value == descriptor.size)
            let again = try await repository.pushBlob(descriptor, from: fixture.store, mountFrom: [], progress: nil)
            #expect(again == .existed)
            #expect(try await repository.hasBlob(descriptor.digest))
        }
        let digest = try await repository.pushManifest(bytes, mediaType: .ociManifest, tag: "v1")
        #expect(digest == .sha256(of: bytes))
        #expect(try await repository.digest(ofTag: "v1") == digest)
        let raw = RawManifest(bytes: bytes, mediaType: .ociManifest, digest: digest)
        #expect(try await repository.manifest(.tag("v1")) == raw)
        #expect(try await repository.manifest(.digest(digest)) == raw)
        #expect(try await repository.tags() == ["v1"])
        #expect(
            try await repository.blob(manifest.config, limit: 1 << 20)
                == fixture.store.read(manifest.config.digest, limit: 1 << 20))

        let other = try ContentStore(path: fixture.scratch.file("other"))
        try await repository.fetchBlob(manifest.layers[0], into: other, progress: nil)
        #expect(other.size(of: manifest.layers[0].digest) == manifest.layers[0].size)
    }

    @Test(arguments: RepositoryKind.allCases)
    func tagsMoveAndImagesHaveSeveral(_ kind: RepositoryKind) async throws {
        let fixture = try await RepositoryFixture(kind)
        let repository = try fixture.repository("app")
        let first = try await fixture.push("one", to: repository, tag: "v1")
        try await fixture.push("one", to: repository, tag: "stable")
        let second = try await fixture.push("two", to: repository, tag: "stable")
        #expect(try await repository.tags().sorted() == ["stable", "v1"])
        #expect(try await repository.digest(ofTag: "v1") == first)
        #expect(try await repository.digest(ofTag: "stable") == second)
        try await fixture.push("three", to: repository, tag: "v1")
        #expect(try await repository.manifest(.digest(first)) != nil, "an image stays readable by its digest")
    }

    @Test(arguments: RepositoryKind.allCases)
    func aManifestWithoutItsBlobsIsRefused(_ kind: RepositoryKind) async throws {
        let fixture = try await RepositoryFixture(kind)
        let repository = try fixture.repository("app")
        let (manifest, bytes) = try fixture.image("half")
        _ = try await repository.pushBlob(manifest.config, from: fixture.store, mountFrom: [], progress: nil)
        let error = await #expect(throws: RegistryError.self) {
            _ = try await repository.pushManifest(bytes, mediaType: .ociManifest, tag: "v1")
        }
        #expect(error?.code == .contentMissing)
        #expect(error?.cause?.contains(manifest.layers[0].digest.encoded) == true, "\(String(describing: error))")
        #expect(try await repository.tags() == [])
    }

    @Test(arguments: RepositoryKind.allCases)
    func blobsAreMountedFromSiblings(_ kind: RepositoryKind) async throws {
        let fixture = try await RepositoryFixture(kind)
        let (manifest, _) = try fixture.image("base")
        let base = try fixture.repository("base")
        try await fixture.push("base", to: base, tag: "v1")
        let empty = try ContentStore(path: fixture.scratch.file("empty"))
        let repository = try fixture.repository("app")
        let outcome = try await repository.pushBlob(
            manifest.layers[0], from: empty, mountFrom: [fixture.location("missing"), fixture.location("base")],
            progress: nil)
        #expect(outcome == .mounted)
        #expect(try await repository.hasBlob(manifest.layers[0].digest))
    }

    @Test(arguments: RepositoryKind.allCases)
    func aBlobThatNobodyHasIsAnError(_ kind: RepositoryKind) async throws {
        let fixture = try await RepositoryFixture(kind)
        let repository = try fixture.repository("app")
        let missing = Descriptor(mediaType: .ociLayer, of: [1, 2, 3])
        let error = await #expect(throws: RegistryError.self) {
            _ = try await repository.pushBlob(missing, from: fixture.store, mountFrom: [], progress: nil)
        }
        #expect(error?.code == .contentMissing)
        let fetch = await #expect(throws: RegistryError.self) {
            try await repository.fetchBlob(missing, into: fixture.store, progress: nil)
        }
        #expect(fetch?.code == .notFound)
        let read = await #expect(throws: RegistryError.self) { _ = try await repository.blob(missing, limit: 100) }
        #expect(read?.code == .notFound)
    }

    @Test(arguments: RepositoryKind.allCases)
    func aBlobLargerThanAllowedIsNotRead(_ kind: RepositoryKind) async throws {
        let fixture = try await RepositoryFixture(kind)
        let repository = try fixture.repository("app")
        let blob = try fixture.blob("0123456789")
        _ = try await repository.pushBlob(blob, from: fixture.store, mountFrom: [], progress: nil)
        let error = await #expect(throws: RegistryError.self) { _ = try await repository.blob(blob, limit: 9) }
        #expect(error?.code == .tooLarge)
        var lying = blob
        lying.size = 9
        let mismatch = await #expect(throws: RegistryError.self) { _ = try await repository.blob(lying, limit: 9) }
        #expect(mismatch != nil)
        let other = try ContentStore(path: fixture.scratch.file("other"))
        for size in [9, 11] as [Int64] {
            lying.size = size
            let descriptor = lying
            await #expect(throws: RegistryError.self) {
                try await repository.fetchBlob(descriptor, into: other, progress: nil)
            }
            #expect(!other.contains(blob.digest))
        }
    }

    @Test(arguments: RepositoryKind.allCases)
    func indexesResolveToThePlatform(_ kind: RepositoryKind) async throws {
        let fixture = try await RepositoryFixture(kind)
        let repository = try fixture.repository("multi")
        var entries: [Descriptor] = []
        for name in ["linux/amd64", "linux/arm/v7", "linux/arm64"] {
            let platform = try Platform(name)
            let (manifest, bytes) = try fixture.image(name, platform: platform)
            for descriptor in manifest.layers + [manifest.config] {
                _ = try await repository.pushBlob(descriptor, from: fixture.store, mountFrom: [], progress: nil)
            }
            let digest = try await repository.pushManifest(bytes, mediaType: .ociManifest, tag: nil)
            entries.append(
                Descriptor(mediaType: .ociManifest, digest: digest, size: Int64(bytes.count), platform: platform))
        }
        let index = try CanonicalJSON.encode(ImageIndex(manifests: entries))
        let digest = try await repository.pushManifest(index, mediaType: .ociIndex, tag: "latest")
        let location = ImageLocation(repository: try fixture.location("multi"))
        let image = try #require(try await fixture.access.resolve(location, platform: Platform("linux/arm64")))
        #expect(image.digest == digest)
        #expect(image.manifestDigest == entries[2].digest)
        #expect(image.config.architecture == "arm64")
        let error = await #expect(throws: RegistryError.self) {
            _ = try await fixture.access.resolve(location, platform: Platform("linux/s390x"))
        }
        #expect(error?.code == .platformMissing)
        #expect(error?.cause == "it exists for linux/amd64, linux/arm/v7, linux/arm64")
        #expect(
            try await fixture.access.resolve(
                ImageLocation(repository: location.repository, tag: "absent"), platform: .host) == nil)
    }

    @Test(arguments: RepositoryKind.allCases)
    func concurrentPushesLoseNoTag(_ kind: RepositoryKind) async throws {
        let fixture = try await RepositoryFixture(kind)
        let repository = try fixture.repository("busy")
        let (manifest, bytes) = try fixture.image("same")
        for descriptor in manifest.layers + [manifest.config] {
            _ = try await repository.pushBlob(descriptor, from: fixture.store, mountFrom: [], progress: nil)
        }
        let tags = (0..<40).map { "t\($0)" }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for tag in tags {
                group.addTask {
                    // Another value on the same place, as another process would have.
                    let own = try fixture.repository("busy")
                    _ = try await own.pushManifest(bytes, mediaType: .ociManifest, tag: tag)
                }
            }
            try await group.waitForAll()
        }
        #expect(try await repository.tags().sorted() == tags.sorted())
    }

    @Test(arguments: RepositoryKind.allCases)
    func skopeoReadsWhatWePush(_ kind: RepositoryKind) async throws {
        let fixture = try await RepositoryFixture(kind)
        let digest = try await fixture.push("for skopeo", to: try fixture.repository("team/app"), tag: "v1")
        let output = try Shell.run([
            "skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", fixture.skopeo("team/app", "v1"),
        ])
        #expect(output.stdout.contains(digest.description))
        let copy = fixture.scratch.file("copy")
        try Shell.run([
            "skopeo", "--insecure-policy", "copy", "-q", "--src-tls-verify=false", fixture.skopeo("team/app", "v1"),
            "dir:\(copy)",
        ])
    }

    @Test(arguments: RepositoryKind.allCases)
    func weReadWhatSkopeoPushes(_ kind: RepositoryKind) async throws {
        let fixture = try await RepositoryFixture(kind)
        let source = LayoutRepository(path: fixture.scratch.file("source"))
        let digest = try await fixture.push("by skopeo", to: source, tag: "x")
        if kind == .layout { try Shell.run(["mkdir", "-p", fixture.scratch.file("layouts")]) }
        for tag in ["v1", "v2"] {
            try Shell.run([
                "skopeo", "--insecure-policy", "copy", "-q", "--preserve-digests", "--dest-tls-verify=false",
                "oci:\(source.path):x",
                fixture.skopeo("app", tag),
            ])
        }
        let repository = try fixture.repository("app")
        #expect(try await repository.tags().sorted() == ["v1", "v2"])
        #expect(try await repository.digest(ofTag: "v2") == digest)
        let image = try #require(try await repository.resolve(tag: "v1", digest: nil, .host))
        #expect(image.config.history.count == 1)
        try await fixture.push("ours", to: repository, tag: "v3")
        #expect(try await repository.tags().sorted() == ["v1", "v2", "v3"])
    }
}
