import Agent
import Foundation
import HTTP
import Server
import TestSupport
import Testing

/// Who may ask for what by the address: tokens, host names, and pages of other sites.
@Suite(.tags(.integration)) struct APIAccessTests {
    /// A fake agent behind a real address, with files of tokens.
    private struct Place {
        let agent = FakeAgent()
        let access: APIAccess
        let server: AgentServer
        let directory: TemporaryDirectory

        init(_ change: (inout APISettings, String) -> Void = { _, _ in }) async throws {
            directory = try TemporaryDirectory("tokens")
            try Self.write("correct horse\n", to: directory.file("write"))
            try Self.write("battery staple\n", to: directory.file("read"))
            var settings = APISettings()
            change(&settings, directory.path)
            access = APIAccess(settings, address: "127.0.0.1:0")
            server = try await AgentServer.start(address: "127.0.0.1:0", control: agent, access: access)
        }

        static func write(_ text: String, to path: String) throws {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        }

        func ask(_ method: String, _ path: String, _ headers: [(String, String)] = []) async throws -> HTTPResponse {
            var configuration = HTTPConfiguration()
            configuration.allowsPlainHTTPLocally = true
            var request = HTTPRequest(
                method, try HTTPURL("http://127.0.0.1:\(server.port)\(path)"),
                body: method == "GET" ? .none : .bytes(Array(#"{"repository":"shop"}"#.utf8)))
            for (name, value) in headers {
                request.headers.add(
                    name, value.replacing("PORT", with: "\(server.port)"))
            }
            return try await HTTPClient(configuration).send(request, limit: 1 << 20)
        }
    }

    private static let both: @Sendable (inout APISettings, String) -> Void = { settings, path in
        settings.tokenFile = path + "/write"
        settings.readTokenFile = path + "/read"
    }

    @Test(arguments: [
        ("GET", "/api/v1/status", nil as String?, 401), ("GET", "/", nil, 401), ("GET", "/metrics", nil, 401),
        ("GET", "/healthz", nil, 200), ("GET", "/readyz", nil, 200),
        ("GET", "/api/v1/status", "Bearer battery staple", 200), ("GET", "/", "Bearer battery staple", 200),
        // Whoever may do more may also read; Basic authentication is what a browser asks its reader for.
        ("GET", "/api/v1/status", "Bearer correct horse", 200), ("GET", "/", "Basic YW5uOmJhdHRlcnkgc3RhcGxl", 200),
        ("GET", "/", "basic OmJhdHRlcnkgc3RhcGxl", 200), ("GET", "/", "Basic !!", 401), ("GET", "/", "Basic", 401),
        ("GET", "/api/v1/status", "Bearer battery stapl", 401), ("GET", "/api/v1/status", "Bearer ", 401),
        ("GET", "/api/v1/status", "Digest battery staple", 401),
        ("POST", "/api/v1/retry", nil, 401), ("POST", "/api/v1/retry", "Bearer battery staple", 401),
        ("POST", "/api/v1/retry", "Bearer correct horse", 200),
        ("POST", "/api/v1/release", "Bearer correct horse", 200),
        ("POST", "/api/v1/repositories/shop/pause", "Bearer correct hors", 401),
        // A browser sends Basic by itself, whichever page has it make the request.
        ("POST", "/api/v1/retry", "Basic YW5uOmNvcnJlY3QgaG9yc2U=", 401),
        ("GET", "/", "Basic YW5uOmNvcnJlY3QgaG9yc2U=", 200),
        ("GET", "/api/v1/queue", nil, 401), ("GET", "/api/v1/queue", "Bearer battery staple", 200),
        ("GET", "/api/v1/images", "Bearer battery staple", 200),
        ("GET", "/api/v1/repositories/shop/policies", nil, 401),
        ("GET", "/api/v1/repositories/shop/policies", "Bearer battery staple", 200),
        ("GET", "/api/v1/repositories/shop/workloads", "Bearer battery staple", 401),
        ("GET", "/api/v1/repositories/shop/workloads", "Bearer correct horse", 200),
    ])
    func `reading and writing need their tokens`(
        _ method: String, _ path: String, _ authorization: String?, _ status: Int
    ) async throws {
        let place = try await Place(Self.both)
        let answer = try await place.ask(method, path, authorization.map { [("Authorization", $0)] } ?? [])
        #expect(answer.status == status)
        if status == 401 {
            // A browser would keep what it asks for, and send it by itself: it is to have the token for reading only.
            let writes = method == "POST" || path.hasSuffix("/workloads")
            #expect(answer.headers["WWW-Authenticate"]?.hasPrefix(writes ? "Bearer" : "Basic") == true)
            #expect(place.agent.asked.isEmpty)
            let text = String(decoding: answer.body, as: UTF8.self)
            #expect(!text.contains("horse") && !text.contains("staple") && !text.contains("shop"), "\(text)")
        }
        await place.server.stop()
    }

    @Test func `a token that is rotated counts from the next request on`() async throws {
        let place = try await Place(Self.both)
        try Place.write("new", to: place.directory.file("write"))
        #expect(
            try await place.ask("POST", "/api/v1/retry", [("Authorization", "Bearer correct horse")]).status == 401)
        #expect(try await place.ask("POST", "/api/v1/retry", [("Authorization", "Bearer new")]).status == 200)
        // Nobody knows a token that is not there: least of all who shows none.
        for content in ["", "\n"] {
            try Place.write(content, to: place.directory.file("write"))
            for token in ["", " ", " x"] {
                let answer = try await place.ask("POST", "/api/v1/retry", [("Authorization", "Bearer\(token)")])
                #expect([401, 503].contains(answer.status))
            }
        }
        #expect(place.agent.asked == ["retry shop -"])
        await place.server.stop()
    }

    @Test func `a reload changes who may do what`() async throws {
        let place = try await Place()
        #expect(try await place.ask("POST", "/api/v1/retry").status == 405)
        #expect(try await place.ask("GET", "/api/v1/status").status == 200)
        var settings = APISettings()
        Self.both(&settings, place.directory.path)
        place.access.adopt(settings)
        #expect(try await place.ask("GET", "/api/v1/status").status == 401)
        #expect(
            try await place.ask("POST", "/api/v1/retry", [("Authorization", "Bearer correct horse")]).status == 200)
        await place.server.stop()
    }

    @Test(arguments: [
        ("127.0.0.1:PORT", nil as String?, 200), ("localhost", nil, 200), ("[::1]:8080", nil, 200),
        ("LOCALHOST.:1", nil, 200), ("slipway.example.com", nil, 200), ("Slipway.Example.COM:8443", nil, 200),
        ("evil.example", nil, 403), ("slipway.example.com.evil.example", nil, 403),
        ("127.0.0.1.evil.example", nil, 403),
        ("a b", nil, 400), ("user@slipway.example.com", nil, 400), ("slipway.example.com:x", nil, 400),
        ("slipway.example.com", "https://slipway.example.com", 200),
        ("slipway.example.com:8443", "https://slipway.example.com:8443", 200),
        ("slipway.example.com", "https://slipway.example.com:443", 200),
        ("slipway.example.com", "https://evil.example", 403), ("slipway.example.com", "null", 403),
        ("slipway.example.com", "https://slipway.example.com.evil.example", 403),
        ("slipway.example.com", "https://slipway.example.com:8443", 403),
    ])
    func `an agent on this machine answers by its own names, to its own pages`(
        _ host: String, _ origin: String?, _ status: Int
    ) async throws {
        let place = try await Place { settings, path in
            settings.tokenFile = path + "/write"
            settings.hosts = ["slipway.example.com"]
        }
        var headers = [("Host", host), ("Authorization", "Bearer correct horse")]
        if let origin { headers.append(("Origin", origin)) }
        for (method, path) in [("GET", "/api/v1/status"), ("POST", "/api/v1/retry"), ("GET", "/")] {
            #expect(try await place.ask(method, path, headers).status == status, "\(method) \(path)")
        }
        #expect(try await place.ask("GET", "/healthz", headers).status == 200)
        await place.server.stop()
    }

    @Test(arguments: [
        ("same-origin", 200), ("none", 200), ("same-site", 403), ("cross-site", 403), ("CROSS-SITE", 403), ("?", 403),
    ])
    func `what a browser says of the page that asks is believed`(_ site: String, _ status: Int) async throws {
        let place = try await Place(Self.both)
        let headers = [("Authorization", "Bearer correct horse"), ("Sec-Fetch-Site", site)]
        #expect(try await place.ask("POST", "/api/v1/retry", headers).status == status)
        // A link on another site may lead here.
        #expect(try await place.ask("GET", "/", headers).status == 200)
        await place.server.stop()
    }

    @Test func `an address that guesses tokens has to wait, and who knows the token does not`() async throws {
        let place = try await Place(Self.both)
        func ask(_ token: String) async throws -> HTTPResponse {
            try await place.ask("GET", "/api/v1/status", [("Authorization", "Bearer \(token)")])
        }
        #expect(try await ask("battery staple").status == 200)
        var statuses: [Int] = []
        for number in 0..<25 { statuses.append(try await ask("guess \(number)").status) }
        #expect(statuses == Array(repeating: 401, count: 20) + Array(repeating: 429, count: 5))
        let refused = try await ask("another")
        #expect(refused.headers["Retry-After"] == "60")
        #expect(try await ask("battery staple").status == 200)
        // A token that was never shown has to wait with the guesses.
        #expect(try await ask("correct horse").status == 429)
        // Who shows none is asked for one.
        #expect(try await place.ask("GET", "/api/v1/status").status == 401)
        #expect(try await place.ask("GET", "/healthz").status == 200)
        await place.server.stop()
    }

    @Test(arguments: [
        ("bytes=0-3", 206, "one\n" as String?, "bytes 0-3/14" as String?),
        ("bytes=4-", 206, "two\nthree\n", "bytes 4-13/14"),
        ("bytes=-6", 206, "three\n", "bytes 8-13/14"), ("bytes=-99", 206, "one\ntwo\nthree\n", "bytes 0-13/14"),
        ("bytes=8-99999999999999999999", 206, "three\n", "bytes 8-13/14"),
        ("BYTES=0 - 0", 206, "o", "bytes 0-0/14"), ("bytes=14-", 416, nil, "bytes */14"),
        ("bytes=-0", 416, nil, "bytes */14"), ("bytes=99-100", 416, nil, "bytes */14"),
        // What is no range, or several, is answered by the whole (RFC 9110 section 14.2).
        ("bytes=3-1", 200, "one\ntwo\nthree\n", nil), ("bytes=0-1,3-4", 200, "one\ntwo\nthree\n", nil),
        ("lines=0-1", 200, "one\ntwo\nthree\n", nil), ("bytes=a-b", 200, "one\ntwo\nthree\n", nil),
        ("bytes=-", 200, "one\ntwo\nthree\n", nil), ("bytes=--1", 200, "one\ntwo\nthree\n", nil),
    ])
    func `a log is told whole or by a range of bytes`(
        _ range: String, _ status: Int, _ text: String?, _ contentRange: String?
    ) async throws {
        let place = try await Place()
        place.agent.show([], log: "one\ntwo\nthree\n")
        let path = "/api/v1/builds/20261130082800-00001-7k3f9x/log"
        let answer = try await place.ask("GET", path, [("Range", range)])
        #expect(answer.status == status)
        if let text { #expect(String(decoding: answer.body, as: UTF8.self) == text) }
        #expect(answer.headers["Content-Range"] == contentRange)
        await place.server.stop()
    }
}
