import ContentStore
import Diagnostics
import OCI
import Synchronization
import TestSupport
import Testing

@testable import Registry

/// A registry of its own kind: its answers are scripted.
private func access(
    _ hosts: [String], keychain: Keychain = .empty, _ change: (inout RegistryConfiguration) -> Void = { _ in }
) -> RegistryAccess {
    var configuration = RegistryConfiguration()
    configuration.insecureRegistries = Set(hosts)
    configuration.retry.pause = .milliseconds(1)
    change(&configuration)
    return RegistryAccess(configuration: configuration, keychain: keychain)
}

private func keychain(_ host: String, _ user: String, _ password: String) -> Keychain {
    var keychain = Keychain.empty
    keychain.set(.basic(user: user, password: password), for: host)
    return keychain
}

@Suite(.tags(.integration), .thorough) struct RealRegistryTests {
    @Test func basicAuthentication() async throws {
        let scratch = try TemporaryDirectory("basic")
        let server = try await RegistryServer(directory: scratch.path, htpasswd: ["ci": "pass:word"])
        let location = RepositoryLocation.registry(host: server.host, path: "private/app")
        let open = access([server.host], keychain: keychain(server.host, "ci", "pass:word"))
        let source = try await RepositoryFixture(.layout)
        let digest = try await source.push("secret", to: open.repository(location), tag: "v1")
        #expect(try await open.repository(location).digest(ofTag: "v1") == digest)
        for wrong in [Keychain.empty, keychain(server.host, "ci", "wrongpassword")] {
            let closed = access([server.host], keychain: wrong)
            let error = await #expect(throws: RegistryError.self) {
                _ = try await closed.repository(location).manifest(.tag("v1"))
            }
            #expect(error?.code == .unauthorized)
            #expect(error?.cause?.contains("authentication required") == true)
            #expect(error?.hint?.contains("docker login \(server.host)") == true)
            #expect(error?.description.contains("wrongpassword") == false)
        }
    }

    @Test func privateCertificateAuthority() async throws {
        let scratch = try TemporaryDirectory("tls")
        var options = RegistryServer.Options()
        options.tls = true
        let server = try await RegistryServer(directory: scratch.path, options: options)
        let location = RepositoryLocation.registry(host: server.host, path: "app")
        let trusting = access([]) { $0.certificateBundles[server.host] = server.certificateAuthority }
        let source = try await RepositoryFixture(.layout)
        try await source.push("encrypted", to: trusting.repository(location), tag: "v1")
        #expect(try await access([]) { $0.skipTLSVerify = [server.host] }.repository(location).tags() == ["v1"])
        let doubtful = await #expect(throws: RegistryError.self) {
            _ = try await access([]).repository(location).tags()
        }
        #expect(doubtful?.code == .tls)
        #expect(doubtful?.hint?.contains("caFile") == true)
        let plain = await #expect(throws: RegistryError.self) {
            _ = try await access([server.host]).repository(location).tags()
        }
        #expect(plain?.code == .tls)
    }

    @Test func aPlainRegistryMustBeDeclared() async throws {
        let scratch = try TemporaryDirectory("plain")
        let server = try await RegistryServer(directory: scratch.path)
        let error = await #expect(throws: RegistryError.self) {
            _ = try await access([]).repository(.registry(host: server.host, path: "app")).tags()
        }
        #expect(error?.code == .tls)
        #expect(error?.hint?.contains("--insecure-registry \(server.host)") == true)
    }

    @Test func tagsComeInPages() async throws {
        let fixture = try await RepositoryFixture(.registry)
        let repository = try fixture.repository("many")
        let (manifest, bytes) = try fixture.image("many")
        for descriptor in manifest.layers + [manifest.config] {
            _ = try await repository.pushBlob(descriptor, from: fixture.store, mountFrom: [], progress: nil)
        }
        let digest = try await repository.pushManifest(bytes, mediaType: .ociManifest, tag: "t0000")
        // Tags of this registry are directories with a link: faster than a thousand requests.
        let folder =
            try #require(fixture.server).directory + "/data/docker/registry/v2/repositories/many/_manifests/tags"
        try Shell.run(
            ["sh", "-c", "for i in $(seq 1001 2300); do cp -r t0000 t$i; done"], in: folder)
        let tags = try await repository.tags()
        #expect(tags.count == 1301)
        #expect(Set(tags).count == 1301)
        #expect(try await repository.digest(ofTag: "t2300") == digest)
    }

    @Test func aRestartIsSurvived() async throws {
        let fixture = try await RepositoryFixture(.registry)
        let repository = try fixture.repository("app")
        let digest = try await fixture.push("x", to: repository, tag: "v1")
        try await #require(fixture.server).restart()
        #expect(try await repository.digest(ofTag: "v1") == digest)
    }
}

@Suite(.tags(.integration)) struct ScriptedRegistryTests {
    private static let manifest = Array(
        #"{"schemaVersion":2,"config":{"mediaType":"c","digest":"\#(Digest.sha256(of: []))","size":0},"layers":[]}"#
            .utf8)

    private static func reply(_ headers: [(String, String)] = []) -> StubReply {
        .answer(200, headers: [("Content-Type", MediaType.ociManifest.rawValue)] + headers, body: manifest)
    }

    @Test func tokensAreAskedForOnceAndForTheRightScope() async throws {
        let issued = Mutex(0)
        let server = try StubServer { request in
            if request.path == "/token" {
                guard request.headers["authorization"] == "Basic Y2k6c2VjcmV0" else { return .text(401, "{}") }
                let number = issued.withLock {
                    $0 += 1
                    return $0
                }
                return .text(200, #"{"token":"t\#(number)","expires_in":300}"#)
            }
            guard let token = request.headers["authorization"], token.hasPrefix("Bearer t") else {
                let host = request.headers["host"] ?? ""
                return .answer(
                    401,
                    headers: [
                        (
                            "WWW-Authenticate",
                            #"Bearer realm="http://\#(host)/token",service="registry.test",scope="repository:app:pull""#
                        )
                    ])
            }
            return Self.reply()
        }
        let open = access([server.host], keychain: keychain(server.host, "ci", "secret"))
        let repository = try open.repository(.registry(host: server.host, path: "app"))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 { group.addTask { _ = try await repository.manifest(.tag("v1")) } }
            try await group.waitForAll()
        }
        _ = try await repository.manifest(.tag("v2"))
        let tokens = server.requests.filter { $0.path == "/token" }
        #expect(tokens.count == 1)
        #expect(tokens[0].target == "/token?service=registry.test&scope=repository:app:pull&account=ci")
        #expect(
            server.requests.filter { $0.path != "/token" }.allSatisfy {
                $0.headers["authorization"]?.hasPrefix("Basic") != true
            })
    }

    @Test func refusedTokensAreRenewed() async throws {
        let issued = Mutex(0)
        let server = try StubServer { request in
            if request.path == "/token" {
                let number = issued.withLock {
                    $0 += 1
                    return $0
                }
                return .text(200, #"{"access_token":"t\#(number)"}"#)
            }
            // The first token is revoked after one use.
            let current = "Bearer t\(max(1, issued.withLock { $0 }))"
            if request.headers["authorization"] == current, request.target.hasSuffix("v1") || current != "Bearer t1" {
                return Self.reply()
            }
            return .answer(
                401,
                headers: [("WWW-Authenticate", #"Bearer realm="http://\#(request.headers["host"] ?? "")/token""#)])
        }
        let repository = try access([server.host]).repository(.registry(host: server.host, path: "app"))
        #expect(try await repository.manifest(.tag("v1")) != nil)
        #expect(try await repository.manifest(.tag("v2")) != nil)
        #expect(issued.withLock { $0 } == 2)
    }

    @Test func identityTokensAreExchanged() async throws {
        let server = try StubServer { request in
            if request.path == "/token" {
                return request.method == "POST"
                    && String(decoding: request.body, as: UTF8.self)
                        == "service=s&grant_type=refresh_token&client_id=slipway&refresh_token=re%20fresh&scope=repository:app:pull"
                    ? .text(200, #"{"access_token":"granted"}"#) : .text(400, "{}")
            }
            return request.headers["authorization"] == "Bearer granted"
                ? Self.reply()
                : .answer(
                    401,
                    headers: [
                        (
                            "WWW-Authenticate",
                            #"Bearer realm="http://\#(request.headers["host"] ?? "")/token",service="s""#
                        )
                    ])
        }
        var keychain = Keychain.empty
        keychain.set(.identityToken("re fresh"), for: server.host)
        let repository = try access([server.host], keychain: keychain)
            .repository(.registry(host: server.host, path: "app"))
        #expect(try await repository.manifest(.tag("v1")) != nil)
    }

    @Test func failuresThatPassAreRetried() async throws {
        let count = Mutex(0)
        let server = try StubServer { _ in
            switch count.withLock({
                $0 += 1
                return $0
            }) {
            case 1: .text(503, "")
            case 2: .raw(Array("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{".utf8))
            case 3: .text(429, "", headers: [("Retry-After", "0")])
            case 4: .raw([])
            default: Self.reply()
            }
        }
        let repository = try access([server.host]).repository(.registry(host: server.host, path: "app"))
        #expect(try await repository.manifest(.tag("v1")) != nil)
        #expect(server.requests.count >= 5)
    }

    @Test func lastingFailuresAreToldInTheRegistrysWords() async throws {
        let server = try StubServer { request in
            request.path.contains("busy")
                ? .text(429, "", headers: [("Retry-After", "3600")])
                : .text(403, #"{"errors":[{"code":"DENIED","message":"quota\u0007 exceeded"}]}"#)
        }
        let open = access([server.host])
        let denied = await #expect(throws: RegistryError.self) {
            _ = try await open.repository(.registry(host: server.host, path: "app")).tags()
        }
        #expect(denied?.code == .denied)
        #expect(denied?.cause == "DENIED: quota\u{FFFD} exceeded (403)")
        let busy = await #expect(throws: RegistryError.self) {
            _ = try await open.repository(.registry(host: server.host, path: "busy")).tags()
        }
        #expect(busy?.code == .rateLimited && busy?.retryAfter == 3600)
        #expect(server.requests.count == 2, "nobody waits for an hour")
    }

    @Test func brokenDownloadsContinue() async throws {
        let content = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 2) }
        let server = try StubServer { request in
            guard let range = request.headers["range"] else {
                return .raw(
                    Array("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n".utf8) + content[..<100_000])
            }
            let start = Int(range.dropFirst("bytes=".count).dropLast()) ?? 0
            if start >= 200_000 {
                return .answer(
                    206, headers: [("Content-Range", "bytes \(start)-299999/300000")], body: Array(content[start...]))
            }
            let head =
                "HTTP/1.1 206 OK\r\nContent-Range: bytes \(start)-299999/300000\r\nContent-Length: \(300_000 - start)\r\n\r\n"
            return .raw(Array(head.utf8) + content[start..<(start + 100_000)])
        }
        let scratch = try TemporaryDirectory("download")
        let store = try ContentStore(path: scratch.path)
        let descriptor = Descriptor(mediaType: .ociLayer, of: content)
        let last = Counter()
        try await access([server.host]).repository(.registry(host: server.host, path: "app"))
            .fetchBlob(descriptor, into: store) { last.set($0) }
        #expect(try store.read(descriptor.digest, limit: 300_000) == content)
        #expect(last.value == 300_000)
    }

    @Test func wrongContentIsRefused() async throws {
        let other = Array(#"{"schemaVersion":2,"config":{"mediaType":"c"},"layers":[]}"#.utf8)
        let server = try StubServer { request in
            switch request.path.split(separator: "/").last {
            case "lying": Self.reply([("Docker-Content-Digest", Digest.sha256(of: [9]).description)])
            case "both":
                .text(200, #"{"schemaVersion":2,"config":{},"layers":[],"manifests":[]}"#)
            case "contradiction":
                .text(
                    200, #"{"schemaVersion":2,"mediaType":"\#(MediaType.ociManifest)","config":{},"layers":[]}"#,
                    headers: [("Content-Type", MediaType.ociIndex.rawValue)])
            case "page": .text(200, "<html>", headers: [("Content-Type", "text/html")])
            case "old": .text(200, #"{"schemaVersion":1,"history":[]}"#)
            case "huge":
                .endless(
                    head: Array("HTTP/1.1 200 OK\r\n\r\n".utf8), piece: [UInt8](repeating: 0x20, count: 65536))
            default:
                .answer(200, headers: [("Content-Type", MediaType.ociManifest.rawValue)], body: other)
            }
        }
        let repository = try access([server.host]).repository(.registry(host: server.host, path: "app"))
        for (tag, code) in [
            ("lying", RegistryError.Code.digestMismatch), ("both", .invalidContent), ("contradiction", .invalidContent),
            ("page", .invalidContent), ("old", .unsupported), ("huge", .invalidContent),
        ] {
            let error = await #expect(throws: RegistryError.self, "\(tag)") {
                _ = try await repository.manifest(.tag(tag))
            }
            #expect(error?.code == code, "\(tag): \(String(describing: error))")
        }
        let error = await #expect(throws: RegistryError.self) {
            _ = try await repository.manifest(.digest(.sha256(of: [1])))
        }
        #expect(error?.code == .digestMismatch)
    }

    @Test func listsOfTagsEnd() async throws {
        let server = try StubServer { request in
            let elsewhere = request.path.contains("elsewhere")
            return .text(
                200, #"{"name":"app","tags":["a","b"]}"#,
                headers: [
                    ("Link", elsewhere ? "<http://other.invalid/x>; rel=\"next\"" : "<\(request.target)>; rel=\"next\"")
                ])
        }
        let open = access([server.host])
        // Half a list would be a wrong list.
        for name in ["app", "elsewhere"] {
            let error = await #expect(throws: RegistryError.self) {
                _ = try await open.repository(.registry(host: server.host, path: name)).tags()
            }
            #expect(error?.code == .invalidContent)
        }
        #expect(server.requests.count == 2)
    }

    @Test func mapsAreTriedInOrderAndThenTheOriginal() async throws {
        let empty = try StubServer { _ in .text(404, "{}") }
        let fixture = try await RepositoryFixture(.layout)
        let base = fixture.scratch.file("mirror")
        try await fixture.push("base", to: LayoutRepository(path: "\(base)/library/nginx"), tag: "latest")
        let open = access([empty.host]) {
            $0.maps = [(from: "index.docker.io", to: ["\(empty.host)/mirror/", "oci:\(base)"])]
        }
        let image = try #require(try await open.resolve(ImageLocation("nginx"), platform: .host))
        #expect(image.repository.location == .layout(path: "\(base)/library/nginx"))
        #expect(empty.requests.map(\.target) == ["/v2/mirror/library/nginx/manifests/latest"])
        #expect(
            try open.repository(RepositoryLocation("nginx")).location
                == .registry(host: empty.host, path: "mirror/library/nginx"))
        #expect(open.pullCandidates(try RepositoryLocation("nginx")).count == 3)
        #expect(open.pullCandidates(try RepositoryLocation("ghcr.io/a/b")).count == 1)
        #expect(RegistryConfiguration().endpoint("index.docker.io") == "https://registry-1.docker.io/")
    }
}
