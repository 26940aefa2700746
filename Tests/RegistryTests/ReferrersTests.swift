import ContentStore
import Diagnostics
import OCI
import TestSupport
import Testing

@testable import Registry

@Suite(.tags(.integration)) struct ReferrersTests {
    private static let empty = Array("{}".utf8)

    /// A signature or the like that refers to a manifest.
    @discardableResult
    private func attach(
        _ type: String, to subject: RawManifest, _ repository: any ImageRepository, _ store: ContentStore,
        note: String = ""
    ) async throws -> Digest {
        try store.add(Self.empty)
        let blob = Descriptor(mediaType: .ociEmpty, of: Self.empty)
        _ = try await repository.pushBlob(blob, from: store, mountFrom: [], progress: nil)
        let manifest = Manifest(
            config: blob, layers: [blob], annotations: ["note": note], subject: subject.descriptor, artifactType: type)
        return try await repository.pushManifest(
            CanonicalJSON.encode(manifest), mediaType: .ociManifest, tag: nil)
    }

    /// docker-registry 2.8 has no interface for them: the list is kept under a tag.
    @Test(arguments: RepositoryKind.allCases)
    func theyAreListedAndGo(_ kind: RepositoryKind) async throws {
        let fixture = try await RepositoryFixture(kind)
        let repository = try fixture.repository("app")
        let digest = try await fixture.push("cargo", to: repository, tag: "v1")
        let subject = try #require(try await repository.manifest(.digest(digest)))
        #expect(try await repository.referrers(of: digest, artifactType: nil) == [])
        let signature = try await attach("application/signature", to: subject, repository, fixture.store)
        let bill = try await attach("application/bill", to: subject, repository, fixture.store, note: "x")
        let all = try await repository.referrers(of: digest, artifactType: nil)
        #expect(Set(all.map(\.digest)) == [signature, bill])
        let bills = try await repository.referrers(of: digest, artifactType: "application/bill")
        #expect(bills.map(\.digest) == [bill])
        #expect(bills[0].annotations?["note"] == "x" && bills[0].artifactType == "application/bill")
        #expect(bills[0].size > 0)
        _ = try await repository.delete(.digest(bill))
        #expect(try await repository.referrers(of: digest, artifactType: nil).map(\.digest) == [signature])
        if kind == .registry {
            #expect(try await repository.tags().sorted() == ["sha256-\(digest.encoded)", "v1"])
        }
    }

    @Test func manyAtOnceLoseNone() async throws {
        let fixture = try await RepositoryFixture(.registry)
        let repository = try fixture.repository("app")
        let digest = try await fixture.push("cargo", to: repository, tag: "v1")
        let subject = try #require(try await repository.manifest(.digest(digest)))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<12 {
                group.addTask {
                    try await attach("application/x", to: subject, repository, fixture.store, note: "\(number)")
                }
            }
            try await group.waitForAll()
        }
        #expect(try await repository.referrers(of: digest, artifactType: nil).count == 12)
    }

    /// A registry with the interface; ours for the test.
    @Test func theInterfaceIsUsedWhereItIs() async throws {
        let subject = Digest.sha256(of: [1])
        let entries = (0..<3).map { number in
            Descriptor(
                mediaType: .ociManifest, digest: .sha256(of: [UInt8(number)]), size: 1, artifactType: "t\(number % 2)")
        }
        let pages = try [Array(entries[..<2]), Array(entries[2...])].map {
            try CanonicalJSON.encode(ImageIndex(manifests: $0))
        }
        let server = try StubServer { request in
            if request.method == "PUT" { return .text(201, "", headers: [("OCI-Subject", subject.description)]) }
            guard request.path == "/v2/app/referrers/\(subject)" else { return .text(404, "") }
            let isFirst = !request.target.contains("?")
            return .answer(
                200,
                headers: [("Content-Type", MediaType.ociIndex.rawValue)]
                    + (isFirst ? [("Link", "<\(request.path)?page=2>; rel=\"next\"")] : []),
                body: isFirst ? pages[0] : pages[1])
        }
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = [server.host]
        let repository = try RegistryAccess(configuration: configuration, keychain: .empty)
            .repository(.registry(host: server.host, path: "app"))
        #expect(try await repository.referrers(of: subject, artifactType: nil) == entries)
        #expect(try await repository.referrers(of: subject, artifactType: "t1") == [entries[1]])
        let before = server.requests.count
        let blob = Descriptor(mediaType: .ociEmpty, of: Self.empty)
        let manifest = Manifest(
            config: blob, layers: [],
            subject: Descriptor(mediaType: .ociManifest, digest: subject, size: 1), artifactType: "t")
        _ = try await repository.pushManifest(CanonicalJSON.encode(manifest), mediaType: .ociManifest, tag: nil)
        #expect(server.requests.count == before + 1, "the registry keeps its list itself")
    }
}
