import Diagnostics
import HTTP
import Synchronization
import TestSupport
import Testing

/// Gathers a body; stops after `limit` bytes.
private final class Gatherer: BodyReceiver {
    private let state = Mutex<(begins: Int, bytes: [UInt8])>((0, []))
    let limit: Int

    init(limit: Int = .max) { self.limit = limit }

    var begins: Int { state.withLock { $0.begins } }
    var bytes: [UInt8] { state.withLock { $0.bytes } }

    func begin(_ head: HTTPHead) -> Bool {
        state.withLock { $0.begins += 1 }
        return true
    }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let part = [UInt8](bytes)
        return state.withLock { state in
            state.bytes += part
            return state.bytes.count <= limit
        }
    }
}

@Suite(.tags(.integration)) struct HTTPClientTests {
    private func client(_ change: (inout HTTPConfiguration) -> Void = { _ in }) -> HTTPClient {
        var configuration = HTTPConfiguration()
        configuration.plainHTTP = .everywhere
        change(&configuration)
        return HTTPClient(configuration)
    }

    @Test func consecutiveRequestsShareAConnection() async throws {
        let server = try StubServer { .text(200, $0.target) }
        let client = client()
        for path in ["/a", "/b?x=1", "/c"] {
            let response = try await client.send(HTTPRequest("GET", HTTPURL(server.url + path)), limit: 100)
            #expect(response.status == 200)
            #expect(String(decoding: response.body, as: UTF8.self) == path)
        }
        #expect(server.requests.map(\.connection) == [1, 1, 1])
        #expect(server.requests[0].headers["user-agent"] == "slipway")
        #expect(server.requests[0].headers["expect"] == nil)
    }

    @Test func bodiesAreSentFromMemoryAndFiles() async throws {
        let server = try StubServer { .answer(200, body: $0.body) }
        let scratch = try TemporaryDirectory("http")
        var big = [UInt8](repeating: 7, count: 600_000)
        for index in stride(from: 0, to: big.count, by: 4093) { big[index] = UInt8(truncatingIfNeeded: index) }
        try Shell.run(["tee", scratch.file("big")], input: big)
        let sent = Mutex<Int64>(0)
        let url = try HTTPURL(server.url + "/")
        for (method, body) in [
            ("POST", HTTPRequest.Body.none), ("POST", .bytes([])), ("PUT", .bytes(Array("x".utf8))),
            ("PATCH", .bytes(big)), ("PUT", .file(path: scratch.file("big"), size: 600_000)),
        ] {
            let request = HTTPRequest(
                method, url, headers: ["Content-Type": "application/octet-stream"], body: body,
                sent: { count in sent.withLock { $0 = count } })
            let response = try await client().send(request, limit: 1_000_000)
            switch body {
            case .none: #expect(response.body.isEmpty)
            case .bytes(let bytes): #expect(response.body == bytes)
            case .file, .fileRange, .stream: #expect(response.body == big)
            }
        }
        #expect(sent.withLock { $0 } == 600_000)
        #expect(server.requests.map(\.method) == ["POST", "POST", "PUT", "PATCH", "PUT"])
        #expect(server.requests.allSatisfy { $0.headers["content-length"] != nil })
        let wrong = HTTPRequest("PUT", url, body: .file(path: scratch.file("big"), size: 5))
        let error = await #expect(throws: HTTPError.self) { _ = try await client().send(wrong, limit: 1) }
        #expect(error?.code == .invalidRequest)
    }

    /// A body in pieces of 1000 bytes, which may have no end.
    private final class Pieces: BodySource {
        private let content: [UInt8]
        private let hasEnd: Bool

        init(_ content: [UInt8], hasEnd: Bool = true) { (self.content, self.hasEnd) = (content, hasEnd) }

        func read(at position: Int64, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
            let piece = content[Int(position)...].prefix(min(1000, buffer.count))
            buffer.copyBytes(from: piece)
            return piece.isEmpty && !hasEnd ? nil : piece.count
        }

        func cancel() {}
    }

    @Test(arguments: [0, 1, 1000, 70_001])
    func aBodyOfUnknownLength(_ size: Int) async throws {
        let server = try StubServer { .answer(200, body: $0.body) }
        let content = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 2) }
        let sent = Mutex<Int64>(0)
        let request = HTTPRequest(
            "PATCH", try HTTPURL(server.url + "/"), body: .stream(Pieces(content)),
            sent: { count in sent.withLock { $0 = count } })
        #expect(try await client().send(request, limit: 100_000).body == content)
        #expect(sent.withLock { $0 } == size)
        #expect(server.requests.map { $0.headers["transfer-encoding"] } == ["chunked"])
    }

    @Test func aBodyThatIsGivenUp() async throws {
        let server = try StubServer { .answer(200, body: $0.body) }
        let request = HTTPRequest(
            "PATCH", try HTTPURL(server.url + "/"), body: .stream(Pieces([1, 2, 3], hasEnd: false)))
        let error = await #expect(throws: HTTPError.self) { _ = try await client().send(request, limit: 1) }
        #expect(error?.code == .cancelled)
        // Half of it is no request.
        #expect(server.requests.isEmpty)
    }

    @Test func credentialsDoNotFollowToAnotherHost() async throws {
        let other = try StubServer { .text(200, $0.headers["authorization"] ?? "none") }
        let otherURL = other.url
        let server = try StubServer { request in
            switch request.path {
            case "/away": .answer(307, headers: [("Location", otherURL + "/blob?signature=1")])
            case "/near": .answer(302, headers: [("Location", "end")])
            default: .text(200, request.headers["authorization"] ?? "none")
            }
        }
        func get(_ path: String) async throws -> String {
            let request = try HTTPRequest(
                "GET", HTTPURL(server.url + path), headers: ["Authorization": "Bearer secret"])
            return String(decoding: try await client().send(request, limit: 100).body, as: UTF8.self)
        }
        #expect(try await get("/away") == "none")
        #expect(try await get("/near") == "Bearer secret")
        let upload = try HTTPRequest("PUT", HTTPURL(server.url + "/away"), body: .bytes([1]))
        let error = await #expect(throws: HTTPError.self) { _ = try await client().send(upload, limit: 100) }
        #expect(error?.code == .redirect)
        #expect(error?.description.contains("signature") == false)
    }

    @Test func redirectionsEnd() async throws {
        let server = try StubServer { .answer(302, headers: [("Location", $0.path + "x")]) }
        let error = await #expect(throws: HTTPError.self) {
            _ = try await client().send(HTTPRequest("GET", HTTPURL(server.url + "/")), limit: 1)
        }
        #expect(error?.code == .redirect)
        #expect(server.requests.count == 11)
        let file = try StubServer { _ in .answer(302, headers: [("Location", "file:///etc/passwd")]) }
        await #expect(throws: HTTPError.self) {
            _ = try await client().send(HTTPRequest("GET", HTTPURL(file.url + "/")), limit: 1 << 20)
        }
    }

    @Test func hostileAnswersAreBounded() async throws {
        let server = try StubServer { request in
            let head = Array("HTTP/1.1 \(request.path == "/failing" ? 500 : 200) OK\r\n\r\n".utf8)
            return switch request.path {
            case "/headers":
                .endless(head: Array("HTTP/1.1 200 OK\r\n".utf8), piece: Array("X-Flood: 0123456789\r\n".utf8))
            case "/line":
                .endless(head: Array("HTTP/1.1 200 OK\r\nX: ".utf8), piece: [UInt8](repeating: 65, count: 4096))
            case "/short": .raw(Array("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this".utf8))
            case "/garbage": .raw(Array("SSH-2.0-OpenSSH_9.2\r\n".utf8))
            case "/nothing": .raw([])
            default: .endless(head: head, piece: [UInt8](repeating: 66, count: 65536))
            }
        }
        for (path, codes) in [
            ("/headers", [HTTPError.Code.tooLarge]), ("/line", [.tooLarge, .other, .interrupted]),
            ("/body", [.tooLarge]), ("/failing", [.tooLarge]), ("/short", [.interrupted]),
            ("/garbage", [.other, .invalidRequest]), ("/nothing", [.interrupted]),
        ] {
            let error = await #expect(throws: HTTPError.self, "\(path)") {
                _ = try await client().send(HTTPRequest("GET", HTTPURL(server.url + path)), limit: 1 << 20)
            }
            if let error { #expect(codes.contains(error.code), "\(path): \(error)") }
        }
    }

    @Test func receiversGetOnlySuccess() async throws {
        let server = try StubServer { $0.path == "/ok" ? .text(200, "content") : .text(404, "no such thing") }
        let received = Gatherer()
        let ok = try await client().send(HTTPRequest("GET", HTTPURL(server.url + "/ok")), into: received)
        #expect(ok.body.isEmpty && received.bytes == Array("content".utf8) && received.begins == 1)
        let missed = Gatherer()
        let missing = try await client().send(HTTPRequest("GET", HTTPURL(server.url + "/no")), into: missed, limit: 7)
        #expect(missing.status == 404 && missing.body == Array("no such".utf8) && missed.begins == 0)
        let impatient = Gatherer(limit: 3)
        let error = await #expect(throws: HTTPError.self) {
            _ = try await client().send(HTTPRequest("GET", HTTPURL(server.url + "/ok")), into: impatient)
        }
        #expect(error?.code == .receiverStopped)
    }

    @Test func stalledTransfersAreGivenUp() async throws {
        let server = try StubServer { _ in .stall(Array("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab".utf8)) }
        let error = await #expect(throws: HTTPError.self) {
            _ = try await client { $0.stallTimeout = 1 }
                .send(HTTPRequest("GET", HTTPURL(server.url + "/")), limit: 100)
        }
        #expect(error?.code == .stalled)
    }

    @Test func cancellationStopsATransfer() async throws {
        let server = try StubServer { _ in .stall([]) }
        let request = try HTTPRequest("GET", HTTPURL(server.url + "/"))
        let client = client()
        let task = Task { try await client.send(request, limit: 100) }
        try await waitUntil("the request arrived") { server.requests.count == 1 }
        task.cancel()
        let result = await task.result
        #expect((#expect(throws: HTTPError.self) { _ = try result.get() })?.code == .cancelled)
    }

    @Test func plainHTTPMustBeDeclared() async throws {
        let server = try StubServer { _ in .text(200, "") }
        let request = try HTTPRequest("GET", HTTPURL(server.url + "/"))
        let error = await #expect(throws: HTTPError.self) {
            _ = try await client { $0.plainHTTP = .hosts(["127.0.0.1:1"]) }.send(request, limit: 1)
        }
        #expect(error?.code == .plainHTTPRefused)
        #expect(server.requests.isEmpty)
        for hosts in [["127.0.0.1"], [server.host]] as [Set<String>] {
            #expect(try await client { $0.plainHTTP = .hosts(hosts) }.send(request, limit: 1).status == 200)
        }
    }

    @Test func deadHostsAreNamed() async throws {
        let server = try StubServer { _ in .text(200, "") }
        let url = server.url
        server.stop()
        let error = await #expect(throws: HTTPError.self) {
            _ = try await client().send(HTTPRequest("GET", HTTPURL(url + "/path?token=secret")), limit: 1)
        }
        #expect(error?.code == .cannotConnect)
        #expect(error?.place == url + "/path")
        #expect(error?.description.contains("secret") == false)
    }

    @Test(arguments: [
        "http://user:secret@host/", "ftp://host/", "/path", "", "http://", "http://h\u{0}", "http://host:99999/",
    ])
    func unusableURLs(_ text: String) {
        let error = #expect(throws: HTTPError.self) { _ = try HTTPURL(text) }
        #expect(error?.description.contains("secret") == false)
    }

    @Test func headersCannotBeInjected() async throws {
        let server = try StubServer { _ in .text(200, "") }
        let request = try HTTPRequest("GET", HTTPURL(server.url + "/"), headers: ["X": "a\r\nY: b"])
        let error = await #expect(throws: HTTPError.self) { _ = try await client().send(request, limit: 1) }
        #expect(error?.code == .invalidRequest)
    }
}
