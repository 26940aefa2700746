import ContentStore
import Diagnostics
import OCI
import TestSupport
import Testing

@testable import Registry

/// docker-registry with Bearer tokens, which a service of ours signs with a key that the registry trusts.
@Suite(.tags(.integration)) struct TokenTests {
    private let scratch: TemporaryDirectory
    private let tokens: TokenServer
    private let server: RegistryServer
    private let fixture: RepositoryFixture

    init() async throws {
        scratch = try TemporaryDirectory("token")
        tokens = try TokenServer(
            directory: scratch.file("tokens"),
            users: [
                "ci": .init(password: "hunter2", writes: ["team/", "public/"], reads: ["vendor/"]),
                "vendor": .init(password: "v", writes: ["vendor/"]),
                "admin": .init(password: "a", writes: [""], isAdministrator: true),
            ])
        var options = RegistryServer.Options()
        options.token = tokens.options
        server = try await RegistryServer(directory: scratch.file("registry"), options: options)
        fixture = try await RepositoryFixture(.layout)
    }

    private func access(_ credentials: Credentials?) -> RegistryAccess {
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = [server.host, tokens.host]
        configuration.retry.pause = .milliseconds(1)
        var keychain = Keychain.empty
        if let credentials { keychain.set(credentials, for: server.host) }
        return RegistryAccess(configuration: configuration, keychain: keychain)
    }

    private func repository(_ path: String, _ credentials: Credentials?) throws -> any ImageRepository {
        try access(credentials).repository(.registry(host: server.host, path: path))
    }

    private let ci = Credentials.basic(user: "ci", password: "hunter2")

    @Test func pushAndPullWithOneTokenForEachScope() async throws {
        let repository = try repository("team/app", ci)
        let digest = try await fixture.push("cargo", to: repository, tag: "v1")
        #expect(tokens.scopes == ["repository:team/app:pull,push"])
        #expect(try await repository.digest(ofTag: "v1") == digest)
        #expect(try await repository.tags() == ["v1"])
        #expect(tokens.scopes == ["repository:team/app:pull,push", "repository:team/app:pull"])
        _ = try await repository.delete(.tag("v1"))
        #expect(tokens.scopes.last == "repository:team/app:pull,push,delete")
    }

    @Test func everybodyReadsWhatIsPublic() async throws {
        let digest = try await fixture.push("cargo", to: repository("public/app", ci), tag: "v1")
        #expect(try await repository("public/app", nil).digest(ofTag: "v1") == digest)
        for path in ["public/app", "team/app"] {
            let error = await #expect(throws: RegistryError.self) {
                try await fixture.push("more", to: repository(path, nil), tag: "v2")
            }
            #expect(error?.code == .unauthorized || error?.code == .denied, "\(String(describing: error))")
        }
        let secret = await #expect(throws: RegistryError.self) {
            _ = try await repository("team/app", nil).manifest(.tag("v1"))
        }
        #expect(secret?.code == .unauthorized)
        let wrong = await #expect(throws: RegistryError.self) {
            _ = try await repository("team/app", .basic(user: "ci", password: "not-this-one")).manifest(.tag("v1"))
        }
        #expect(wrong?.code == .unauthorized && wrong?.cause?.contains("incorrect username") == true)
        #expect(wrong?.description.contains("not-this-one") == false)
    }

    @Test func mountsUseTheSourcesScope() async throws {
        try await fixture.push("cargo", to: repository("vendor/base", .basic(user: "vendor", password: "v")), tag: "v1")
        let source = try #require(try await repository("vendor/base", ci).resolve(tag: "v1", digest: nil, .host))
        let empty = try ContentStore(path: scratch.file("empty"))
        let target = try repository("team/app", ci)
        let outcome = try await target.pushBlob(
            source.manifest.layers[0], from: empty, mountFrom: [source.repository.location], progress: nil)
        #expect(outcome == .mounted)
        #expect(tokens.scopes.last == "repository:team/app:pull,push repository:vendor/base:pull")
        // Without the right to the source the blob is sent.
        try await fixture.push("secret", to: repository("hidden/base", .basic(user: "admin", password: "a")), tag: "v1")
        let (hidden, _) = try fixture.image("secret")
        let sent = try await target.pushBlob(
            hidden.layers[0], from: fixture.store,
            mountFrom: [.registry(host: server.host, path: "hidden/base")], progress: nil)
        #expect(sent == .uploaded)
    }

    @Test func tokensThatEndedAreReplaced() async throws {
        let repository = try repository("team/app", ci)
        tokens.expire(next: 1)
        let digest = try await fixture.push("cargo", to: repository, tag: "v1")
        #expect(tokens.scopes.count == 2)
        #expect(try await repository.digest(ofTag: "v1") == digest)
        // A service that gives nothing else is not asked without end.
        tokens.expire(next: 100)
        let before = tokens.scopes.count
        let error = await #expect(throws: RegistryError.self) {
            _ = try await self.repository("team/app", ci).manifest(.tag("v1"))
        }
        #expect(error?.code == .unauthorized)
        #expect(tokens.scopes.count - before <= 3)
    }

    @Test func identityTokens() async throws {
        let digest = try await fixture.push(
            "cargo", to: repository("team/app", .identityToken("refresh-ci")), tag: "v1")
        #expect(try await repository("team/app", ci).digest(ofTag: "v1") == digest)
        let error = await #expect(throws: RegistryError.self) {
            _ = try await repository("team/app", .identityToken("forged-secret")).manifest(.tag("v1"))
        }
        #expect(error?.code == .unauthorized && error?.description.contains("forged-secret") == false)
    }

    @Test func theCatalogIsForAdministrators() async throws {
        try await fixture.push("cargo", to: repository("team/app", ci), tag: "v1")
        let admin = access(.basic(user: "admin", password: "a"))
        #expect(try await admin.catalog(host: server.host) == ["team/app"])
        #expect(tokens.scopes.last == "registry:catalog:*")
        let error = await #expect(throws: RegistryError.self) { _ = try await access(ci).catalog(host: server.host) }
        #expect(error?.code == .unauthorized)
    }
}
