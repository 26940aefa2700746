import ContentStore
import Diagnostics
import HTTP
import OCI
import TestSupport
import Testing

@testable import Registry

/// docker-registry behind TLS, client certificates, proxies and mirrors.
@Suite(.tags(.integration)) struct TransportTests {
    private let scratch: TemporaryDirectory

    init() throws { scratch = try TemporaryDirectory("transport") }

    private func access(_ change: (inout RegistryConfiguration) -> Void) -> RegistryAccess {
        var configuration = RegistryConfiguration()
        configuration.retry.pause = .milliseconds(1)
        change(&configuration)
        return RegistryAccess(configuration: configuration, keychain: .empty)
    }

    private func secure(_ change: (inout RegistryServer.Options) -> Void = { _ in }) async throws -> RegistryServer {
        var options = RegistryServer.Options()
        options.tls = true
        change(&options)
        return try await RegistryServer(directory: scratch.file("registry"), options: options)
    }

    @Test(arguments: ["docker.io", "index.docker.io", "registry-1.docker.io", "Index.Docker.IO"])
    func `Docker Hub is declared insecure by any of its names`(_ name: String) {
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = [name]
        for host in ["docker.io", "index.docker.io", "registry-1.docker.io"] {
            #expect(configuration.endpoint(host) == "http://registry-1.docker.io/")
        }
        #expect(configuration.endpoint("index.docker.io.example.com") == "https://index.docker.io.example.com/")
    }

    @Test func clientCertificates() async throws {
        let new = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-x509", "-days", "2", "-subj", "/CN=client"]
        for name in ["client", "stranger"] {
            try Shell.run(new + ["-keyout", "\(name).key", "-out", "\(name).pem"], in: scratch.path)
        }
        try Shell.run(["sh", "-c", "cat client.pem client.key > both.pem"], in: scratch.path)
        let server = try await secure { $0.clientAuthority = scratch.file("client.pem") }
        func tags(_ certificate: String?, _ key: String?) async throws -> [String] {
            try await access { configuration in
                configuration.certificateBundles[server.host] = server.certificateAuthority
                configuration.retry.attempts = 1
                var options = RegistryConfiguration.HostOptions()
                options.clientCertificate = certificate.map { scratch.file($0) }
                options.clientKey = key.map { scratch.file($0) }
                configuration.hosts[server.host] = options
            }.repository(.registry(host: server.host, path: "app")).tags()
        }
        #expect(try await tags("client.pem", "client.key") == [])
        #expect(try await tags("both.pem", nil) == [])
        for (certificate, key) in [(nil, nil), ("stranger.pem", "stranger.key")] as [(String?, String?)] {
            let error = await #expect(throws: RegistryError.self) { _ = try await tags(certificate, key) }
            // Depending on whether the alert arrives before the end of the connection.
            #expect(error?.code == .tls || error?.code == .unavailable, "\(String(describing: error))")
            #expect(error?.hint?.contains("name") == true && error?.description.contains("client certificate") == true)
        }
        for (certificate, key) in [("client.pem", "stranger.key"), ("none.pem", "none.key")] {
            let error = await #expect(throws: RegistryError.self) { _ = try await tags(certificate, key) }
            #expect(error?.code == .tls && error?.hint?.contains(certificate) == true, "\(String(describing: error))")
        }
    }

    @Test func expiredCertificatesAreNamed() async throws {
        let server = try await secure { $0.isExpired = true }
        let error = await #expect(throws: RegistryError.self) {
            _ = try await access { $0.certificateBundles[server.host] = server.certificateAuthority }
                .repository(.registry(host: server.host, path: "app")).tags()
        }
        #expect(error?.code == .tls && error?.summary.contains("has expired") == true)
        #expect(error?.isTransient == false)
    }

    @Test func theSecondVersionOfHTTPIsSpoken() async throws {
        let server = try await secure()
        var configuration = HTTPConfiguration()
        configuration.trust[server.host] = .init(certificateBundle: server.certificateAuthority)
        let response = try await HTTPClient(configuration).send(
            HTTPRequest("GET", HTTPURL("\(server.url)/v2/")), limit: 1000)
        #expect(response.status == 200 && response.head.version == "2")
    }

    @Test func aProxyOfTheHost() async throws {
        let server = try await secure()
        let proxy = try ForwardProxy(user: "me", password: "hunter2", resolving: [server.host: server.port])
        let fixture = try await RepositoryFixture(.layout)
        let location = RepositoryLocation.registry(host: server.host, path: "app")
        let through = access { configuration in
            configuration.certificateBundles[server.host] = server.certificateAuthority
            var options = RegistryConfiguration.HostOptions()
            options.proxy = "http://me:hunter2@\(proxy.host)"
            configuration.hosts[server.host] = options
        }
        let digest = try await fixture.push("cargo", to: through.repository(location), tag: "v1")
        #expect(try await through.repository(location).digest(ofTag: "v1") == digest)
        #expect(proxy.requests.allSatisfy { $0 == "CONNECT \(server.host)" } && !proxy.requests.isEmpty)
        let wrong = await #expect(throws: RegistryError.self) {
            _ = try await access { configuration in
                configuration.retry.attempts = 1
                var options = RegistryConfiguration.HostOptions()
                options.proxy = "http://me:wrong-word@\(proxy.host)"
                configuration.hosts[server.host] = options
            }.repository(location).tags()
        }
        #expect(wrong?.code == .unavailable && wrong?.description.contains("wrong-word") == false)
    }

    /// A registry of which nobody said whether it speaks TLS: what it says to a handshake is enough to know.
    @Test func plainHTTPIsFoundOutWithoutAnotherQuestion() async throws {
        let server = try StubServer { _ in .text(200, #"{"name":"app","tags":["v1"]}"#) }
        let repository = try access { $0.plainFallback = [server.host] }
            .repository(.registry(host: server.host, path: "app"))
        #expect(try await repository.tags() == ["v1"])
        #expect(server.requests.map(\.path) == ["/v2/app/tags/list"])
    }

    @Test func mirrorsAreReadAndNeverWritten() async throws {
        let fixture = try await RepositoryFixture(.registry)
        let upstream = try #require(fixture.server).host
        let mirror = try await RegistryServer(directory: scratch.file("mirror"))
        let dead = try Server.freePort()
        func open(_ fallback: Bool = true) -> RegistryAccess {
            access { configuration in
                configuration.insecureRegistries = [upstream, mirror.host, "127.0.0.1:\(dead)"]
                configuration.retry.attempts = 1
                configuration.mirrors = [(from: upstream, to: ["127.0.0.1:\(dead)", mirror.host + "/cache"])]
                if !fallback { configuration.withoutFallback = [upstream] }
            }
        }
        let location = RepositoryLocation.registry(host: upstream, path: "app")
        let digest = try await fixture.push("upstream", to: open().repository(location), tag: "v1")
        #expect(try await fixture.repository("app").digest(ofTag: "v1") == digest, "written where it was meant")
        let cached = try access { $0.insecureRegistries = [mirror.host] }
            .repository(.registry(host: mirror.host, path: "cache/app"))
        #expect(try await cached.tagList() == nil)
        let image = ImageLocation(repository: location, tag: "v1")
        #expect(
            try await open().resolve(image, platform: .host)?.digest == digest, "past a dead mirror and an empty one")
        await #expect(throws: RegistryError.self) { _ = try await open(false).resolve(image, platform: .host) }
        let other = try await fixture.push("mirrored", to: cached, tag: "v1")
        let found = try #require(try await open(false).resolve(image, platform: .host))
        #expect(found.digest == other && found.repository.location == cached.location)
    }
}

/// Servers of our own that mean harm: whatever they send is bounded and refused.
@Suite(.tags(.integration), .thorough) struct HostileRegistryTests {
    private func repository(
        _ server: StubServer, path: String = "app", _ change: (inout RegistryConfiguration) -> Void = { _ in }
    ) throws -> any ImageRepository {
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = [server.host]
        configuration.retry.attempts = 2
        configuration.retry.pause = .milliseconds(1)
        configuration.documentTimeout = 1
        change(&configuration)
        return try RegistryAccess(configuration: configuration, keychain: .empty)
            .repository(.registry(host: server.host, path: path))
    }

    /// A document that drips fast enough not to count as stalled, and never ends.
    @Test(arguments: ["HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", "HTTP/1.1 200 OK\r\nX: "])
    func drippingDocuments(_ head: String) async throws {
        let server = try StubServer { _ in .drip(Array(head.utf8), milliseconds: 5) }
        let error = await #expect(throws: RegistryError.self) { _ = try await repository(server).manifest(.tag("v1")) }
        #expect(
            error?.code == .unavailable && error?.summary.contains("too slow") == true, "\(String(describing: error))")
    }

    /// gzip of zeros in the answer's coding: never more of it is unpacked than what was promised.
    @Test func compressedAnswersAreBounded() async throws {
        let bomb = try TemporaryDirectory("bomb")
        try Shell.run(["sh", "-c", "head -c 50000000 /dev/zero | gzip -9 > bomb"], in: bomb.path)
        let bytes = try #require(try SmallFile.read(bomb.file("bomb"), limit: 1 << 20))
        let server = try StubServer { _ in
            .answer(
                200, headers: [("Content-Encoding", "gzip"), ("Content-Type", MediaType.ociManifest.rawValue)],
                body: bytes)
        }
        let repository = try repository(server)
        let error = await #expect(throws: RegistryError.self) { _ = try await repository.manifest(.tag("v1")) }
        #expect(error?.code == .invalidContent)
        let promised = Descriptor(
            mediaType: .ociLayer, digest: .sha256(of: [UInt8](repeating: 0, count: 1_000_000)), size: 1_000_000)
        let store = try ContentStore(path: bomb.file("store"))
        let blob = await #expect(throws: RegistryError.self) {
            try await repository.fetchBlob(promised, into: store, progress: nil)
        }
        #expect(blob != nil && !store.contains(promised.digest))
        // Nobody is asked for a coding before one came unasked.
        #expect(server.requests.first?.headers["accept-encoding"] == nil)
    }

    @Test func blobsOfTheWrongLengthOrContent() async throws {
        let content = [UInt8](repeating: 1, count: 10_000)
        let server = try StubServer { request in
            switch request.path.split(separator: "/").dropFirst().first {
            case "endless":
                .endless(head: Array("HTTP/1.1 200 OK\r\n\r\n".utf8), piece: [UInt8](repeating: 1, count: 65536))
            case "short": .answer(200, body: Array(content.dropLast()))
            case "other": .answer(200, body: content.dropLast() + [2])
            case "part":
                .answer(206, headers: [("Content-Range", "bytes 5-9999/10000")], body: Array(content.dropFirst(5)))
            default: .text(404, "")
            }
        }
        let scratch = try TemporaryDirectory("hostile")
        let store = try ContentStore(path: scratch.path)
        let blob = Descriptor(mediaType: .ociLayer, of: content)
        for (path, code) in [
            ("endless", RegistryError.Code.digestMismatch), ("short", .unavailable), ("other", .digestMismatch),
            ("part", .invalidContent), ("none", .notFound),
        ] {
            let repository = try repository(server, path: path)
            let error = await #expect(throws: RegistryError.self) {
                try await repository.fetchBlob(blob, into: store, progress: nil)
            }
            #expect(error?.code == code, "\(path): \(String(describing: error))")
            let small = await #expect(throws: RegistryError.self) { _ = try await repository.blob(blob, limit: 20_000) }
            #expect(small != nil, "\(path)")
        }
        #expect(!store.contains(blob.digest))
        #expect(try Shell.run(["ls", "-A", scratch.file("ingest")]).stdout == "", "nothing is left")
    }

    @Test func circlesOfRedirections() async throws {
        let server = try StubServer { request in
            .text(307, "", headers: [("Location", request.path + "/x")])
        }
        let error = await #expect(throws: RegistryError.self) { _ = try await repository(server).tags() }
        #expect(error?.code == .invalidContent && error?.summary.contains("gave up") == true)
        #expect(server.requests.count == 11)
    }

    /// Uploads and pages that a registry sends elsewhere get no credentials there.
    @Test func credentialsStayAtTheirHost() async throws {
        let thief = try StubServer { _ in .text(202, "", headers: [("Location", "/next")]) }
        let thiefURL = thief.url
        let server = try StubServer { request in
            guard request.headers["authorization"] != nil else {
                return .text(401, "", headers: [("WWW-Authenticate", "Basic realm=\"r\"")])
            }
            return switch request.method {
            case "HEAD": .text(404, "")
            default: .text(202, "", headers: [("Location", thiefURL + "/upload")])
            }
        }
        var keychain = Keychain.empty
        keychain.set(.basic(user: "u", password: "p"), for: server.host)
        var configuration = RegistryConfiguration()
        configuration.insecureRegistries = [server.host, thief.host]
        configuration.retry.attempts = 1
        let scratch = try TemporaryDirectory("thief")
        let store = try ContentStore(path: scratch.path)
        try store.add([1, 2, 3])
        let repository = try RegistryAccess(configuration: configuration, keychain: keychain)
            .repository(.registry(host: server.host, path: "app"))
        await #expect(throws: RegistryError.self) {
            _ = try await repository.pushBlob(
                Descriptor(mediaType: .ociLayer, of: [1, 2, 3]), from: store, mountFrom: [], progress: nil)
        }
        #expect(!thief.requests.isEmpty)
        #expect(thief.requests.allSatisfy { $0.headers["authorization"] == nil })
    }

    /// What a registry says is cut and freed of what would steer a terminal.
    @Test func messagesAreTamed() async throws {
        let long = String(repeating: "x", count: 50_000)
        let server = try StubServer { _ in
            .text(403, #"{"errors":[{"code":"DENIED","message":"\u001b[31mred\r\n\#(long)"}]}"#)
        }
        let error = await #expect(throws: RegistryError.self) { _ = try await repository(server).tags() }
        let text = try #require(error).description
        #expect(error?.code == .denied && text.utf8.count < 2000)
        #expect(!text.contains("\u{1b}") && !text.contains("\r"))
    }
}
