import ContentStore
import Diagnostics
import OCI
import TestSupport
import Testing

@testable import Registry

@Suite(.tags(.integration)) struct DeletionTests {
    @Test(arguments: RepositoryKind.allCases)
    func manifestsGoWithTheirTags(_ kind: RepositoryKind) async throws {
        let fixture = try await RepositoryFixture(kind)
        let repository = try fixture.repository("app")
        let first = try await fixture.push("one", to: repository, tag: "v1")
        let second = try await fixture.push("two", to: repository, tag: "v2")
        let bytes = try #require(try await repository.manifest(.digest(first))).bytes
        _ = try await repository.pushManifest(bytes, mediaType: .ociManifest, tag: "also")
        let deletion = try await repository.delete(.digest(first))
        #expect(deletion.digest == first && deletion.isManifestDeleted)
        #expect(try await repository.tags() == ["v2"])
        #expect(try await repository.manifest(.digest(first)) == nil)
        #expect(try await repository.digest(ofTag: "v2") == second)
        for missing in [ManifestSelector.digest(first), .tag("v1")] {
            let error = await #expect(throws: RegistryError.self) { _ = try await repository.delete(missing) }
            #expect(error?.code == .notFound, "\(String(describing: error))")
        }
    }

    @Test func aLayoutLosesOneTag() async throws {
        let fixture = try await RepositoryFixture(.layout)
        let repository = try fixture.repository("app")
        let digest = try await fixture.push("one", to: repository, tag: "v1")
        try await fixture.push("one", to: repository, tag: "also")
        let deletion = try await repository.delete(.tag("v1"))
        #expect(deletion == ManifestDeletion(digest: digest, tags: ["v1"], isManifestDeleted: false))
        #expect(try await repository.tags() == ["also"])
        #expect(try await repository.resolve(tag: "also", digest: nil, .host) != nil)
        // The digest of a layer is not one of a manifest.
        let image = try #require(try await repository.resolve(tag: "also", digest: nil, .host))
        await #expect(throws: RegistryError.self) {
            _ = try await repository.delete(.digest(image.manifest.layers[0].digest))
        }
        #expect(try await repository.hasBlob(image.manifest.layers[0].digest))
    }

    /// docker-registry 2.8 deletes manifests only: a tag goes with its manifest, if that takes no other tag along.
    @Test func otherTagsAreProtected() async throws {
        let fixture = try await RepositoryFixture(.registry)
        let repository = try fixture.repository("app")
        let digest = try await fixture.push("one", to: repository, tag: "v1")
        try await fixture.push("one", to: repository, tag: "also")
        try await fixture.push("two", to: repository, tag: "v2")
        let error = await #expect(throws: RegistryError.self) { _ = try await repository.delete(.tag("v1")) }
        #expect(error?.code == .ambiguous)
        #expect(error?.cause?.hasSuffix("also tagged also") == true)
        #expect(try await repository.tags().sorted() == ["also", "v1", "v2"])
        let all = try await repository.delete(.tag("v1"), allTags: true)
        #expect(all == ManifestDeletion(digest: digest, tags: ["also", "v1"], isManifestDeleted: true))
        #expect(try await repository.delete(.tag("v2")).tags == ["v2"])
        #expect(try await repository.tags() == [])
    }

    @Test func dockerManifestsAreDeletedByTheirDigest() async throws {
        let fixture = try await RepositoryFixture(.registry)
        let repository = try fixture.repository("app")
        let oci = try await fixture.push("one", to: repository, tag: "oci")
        try Shell.run([
            "skopeo", "--insecure-policy", "copy", "-q", "--format", "v2s2", "--src-tls-verify=false",
            "--dest-tls-verify=false", fixture.skopeo("app", "oci"), fixture.skopeo("app", "docker"),
        ])
        let raw = try #require(try await repository.manifest(.tag("docker")))
        #expect(raw.mediaType == .dockerManifest && raw.digest != oci)
        #expect(try await repository.digest(ofTag: "docker") == raw.digest)
        _ = try await repository.delete(.digest(raw.digest))
        #expect(try await repository.tags() == ["oci"])
    }

    @Test func aRegistryThatForbidsItSaysSo() async throws {
        let scratch = try TemporaryDirectory("nodelete")
        var options = RegistryServer.Options()
        options.allowsDeletion = false
        let server = try await RegistryServer(directory: scratch.path, options: options)
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = [server.host]
        let repository = try RegistryAccess(configuration: configuration, keychain: .empty)
            .repository(.registry(host: server.host, path: "app"))
        let source = try await RepositoryFixture(.layout)
        let digest = try await source.push("one", to: repository, tag: "v1")
        for name in [ManifestSelector.digest(digest), .tag("v1")] {
            let error = await #expect(throws: RegistryError.self) { _ = try await repository.delete(name) }
            #expect(error?.code == .unsupported)
            #expect(error?.hint?.contains("enabled: true") == true)
        }
        #expect(try await repository.tags() == ["v1"])
    }

    /// A registry that takes single tags away, as distribution 3 and the hosted ones do; ours for the test.
    @Test func singleTagsWhereTheRegistryCan() async throws {
        let digest = Digest.sha256(of: [1])
        let server = try StubServer { request in
            switch request.method {
            case "HEAD": .answer(200, headers: [("Docker-Content-Digest", digest.description)])
            case "DELETE": .text(202, "")
            default: .text(500, "")
            }
        }
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = [server.host]
        let repository = try RegistryAccess(configuration: configuration, keychain: .empty)
            .repository(.registry(host: server.host, path: "app"))
        let deletion = try await repository.delete(.tag("v1"))
        #expect(deletion == ManifestDeletion(digest: digest, tags: ["v1"], isManifestDeleted: false))
        #expect(server.requests.map(\.method) == ["HEAD", "DELETE"])
        #expect(server.requests.last?.target == "/v2/app/manifests/v1")
    }

    /// What docs/registry.md says about docker-registry's own collection: blobs stay until it runs, and what tags need
    /// survives it.
    @Test func garbageIsTheRegistrysOwn() async throws {
        let fixture = try await RepositoryFixture(.registry)
        let server = try #require(fixture.server)
        let repository = try fixture.repository("app")
        let old = try await fixture.push("old", to: repository, tag: "v1")
        let layer = try #require(try await repository.resolve(tag: "v1", digest: nil, .host)).manifest.layers[0].digest
        try await fixture.push("new", to: repository, tag: "v2")
        _ = try await repository.delete(.digest(old))
        func stored(_ digest: Digest) throws -> Bool {
            let path = "\(server.directory)/data/docker/registry/v2/blobs/sha256/\(digest.encoded.prefix(2))"
            return try Shell.run(["ls", "\(path)/\(digest.encoded)/data"], allowFailure: true).status == 0
        }
        #expect(try stored(layer), "deleting a manifest frees nothing yet")
        try Shell.run(["docker-registry", "garbage-collect", server.configuration])
        #expect(try !stored(layer))
        #expect(try !stored(old))
        // The registry remembers in memory what it had: it must not run meanwhile, or be started anew.
        try await server.restart()
        let kept = try #require(try await repository.resolve(tag: "v2", digest: nil, .host))
        let store = try ContentStore(path: fixture.scratch.file("pulled"))
        try await repository.fetchBlob(kept.manifest.layers[0], into: store, progress: nil)
        try await fixture.push("old", to: repository, tag: "v3")
        #expect(try await repository.tags().sorted() == ["v2", "v3"])
    }
}

@Suite(.tags(.integration)) struct CatalogTests {
    @Test func repositoriesAreListed() async throws {
        let fixture = try await RepositoryFixture(.registry)
        let host = try #require(fixture.server).host
        #expect(try await fixture.access.catalog(host: host) == [])
        for name in ["zoo", "team/app", "a/b/c/d"] {
            try await fixture.push(name, to: fixture.repository(name), tag: "v1")
        }
        #expect(try await fixture.access.catalog(host: host) == ["a/b/c/d", "team/app", "zoo"])
        #expect(try await fixture.repository("nowhere").tagList() == nil)
        #expect(try await fixture.repository("zoo").tagList() == ["v1"])
    }

    /// Pages of our own server: short, empty in the middle, in a circle, without end.
    @Test(arguments: [
        ("short", ["a", "b", "c"] as [String]?), ("circle", nil), ("elsewhere", nil), ("endless", nil), ("absent", nil),
    ])
    func pages(_ kind: String, _ expected: [String]?) async throws {
        let server = try StubServer { request in
            let last = request.target.split(separator: "=").last.map(String.init) ?? ""
            func page(_ names: [String], next: String?) -> StubReply {
                .text(
                    200, #"{"repositories":[\#(names.map { "\"\($0)\"" }.joined(separator: ","))]}"#,
                    headers: next.map { [("Link", "<\($0)>; rel=\"next\"")] } ?? [])
            }
            switch (kind, last) {
            case ("short", "1000"): return page(["a", "b"], next: "/v2/_catalog?last=b")
            case ("short", "b"): return page([], next: "/v2/_catalog?last=x")
            case ("short", _): return page(["b", "c"], next: nil)
            case ("circle", "1000"): return page(["a"], next: "?last=b")
            case ("circle", _): return page(["b"], next: "/v2/_catalog?n=1000")
            case ("elsewhere", _): return page(["a"], next: "http://other.invalid/v2/_catalog")
            case ("endless", _): return page(["a"], next: "?last=\((Int(last) ?? 0) + 1)")
            default: return .text(404, "404 page not found")
            }
        }
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = [server.host]
        let access = RegistryAccess(configuration: configuration, keychain: .empty)
        if let expected {
            #expect(try await access.catalog(host: server.host) == expected)
        } else {
            let error = await #expect(throws: RegistryError.self) { _ = try await access.catalog(host: server.host) }
            #expect(error?.code == (kind == "absent" ? .unsupported : .invalidContent))
            #expect(server.requests.count <= 25)
        }
    }
}
