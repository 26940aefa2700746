import Agent
import Foundation
import HTTP
import Server
import Synchronization
import TestSupport
import Testing

/// The agent's API over its socket and over TCP: what it answers, and what clients cannot do to it.
@Suite(.tags(.integration)) struct AgentServerTests {
    // MARK: Answers

    @Test func `status tells repositories, queue and failures`() async throws {
        let served = try await ServedAgent()
        let answer = try await served.ask("GET", "/api/v1/status")
        #expect(answer.status == 200)
        #expect(answer.headers["Content-Type"] == "application/json")
        let overview = try JSONDecoder().decode(AgentOverview.self, from: Data(answer.body))
        #expect(overview.repositories.map(\.repository) == ["shop"])
        #expect(overview.queue.map(\.pipeline) == ["web"])
        // A build that was begun by anybody makes its repository one that builds.
        #expect(overview.repositories.map(\.state) == [.building])
        #expect(overview.repositories.map(\.since) == [90])
        await served.stop()
    }

    @Test func `no answer holds a secret of a repository's URL`() async throws {
        let served = try await ServedAgent()
        for path in ["/api/v1/repositories", "/api/v1/status"] {
            let text = String(decoding: try await served.ask("GET", path).body, as: UTF8.self)
            #expect(text.contains("shop"))
            #expect(!text.contains("pa55w0rd"), "\(text)")
        }
        await served.stop()
    }

    @Test(arguments: [
        ("GET", "/api/v1/repositories/shop/builds", nil as String?, "builds shop 50 -"),
        (
            "GET", "/api/v1/repositories/api%2F%C3%A4/builds?limit=3&before=20261130082800-00001-7k3f9x", nil,
            "builds api/ä 3 20261130082800-00001-7k3f9x"
        ),
        ("GET", "/api/v1/repositories/shop/cycle", nil, "cycle shop"),
        ("GET", "/api/v1/repositories/shop/policies", nil, "explain shop - - -"),
        (
            "GET",
            "/api/v1/repositories/api%2F%C3%A4/policies?subject=deploy%2Fweb.yaml%3A14&policy=semver%3A~1.4&current=1.4.2",
            nil, "explain api/ä deploy/web.yaml:14 semver:~1.4 1.4.2"
        ),
        ("GET", "/api/v1/repositories/shop/workloads", nil, "workloads shop"),
        (
            "GET", "/api/v1/repositories/shop/images?workload=shop%3Adeployment%2Fweb", nil,
            "images shop shop:deployment/web -"
        ),
        ("POST", "/api/v1/retry", #"{"repository":"shop"}"#, "retry shop -"),
        ("POST", "/api/v1/retry", #"{"repository":"shop","pipeline":"web"}"#, "retry shop web"),
        ("POST", "/api/v1/sync", #"{"repositories":["shop"]}"#, "complete shop"),
        ("POST", "/api/v1/repositories/shop/pause", nil, "pause shop - -"),
        (
            "POST", "/api/v1/repositories/api%2F%C3%A4/pause", #"{"user":"ann","message":"freeze"}"#,
            "pause api/ä ann freeze"
        ),
        ("POST", "/api/v1/repositories/shop/resume", nil, "resume shop"),
        (
            "POST", "/api/v1/builds/20261130082800-00001-7k3f9x/stop", nil,
            "stop 20261130082800-00001-7k3f9x"
        ),
        (
            "POST", "/api/v1/release", #"{"repository":"shop","image":"acme/web:v5"}"#, "edit shop acme/web:v5 [:]"
        ),
        ("POST", "/api/v1/plan", #"{"repositories":[]}"#, "plan "),
        (
            "POST", "/api/v1/edits",
            #"{"repository":"shop","dryRun":false,"policies":{"workloads":["a:b/c"],"add":{"locked":"true"},"remove":[]}}"#,
            #"edit shop - ["locked": "true"]"#
        ),
    ])
    func `a request reaches the agent as it was meant`(
        _ method: String, _ path: String, _ body: String?, _ asked: String
    ) async throws {
        let served = try await ServedAgent()
        let answer = try await served.ask(method, path, body)
        #expect(answer.status == 200)
        #expect(served.agent.asked == [asked])
        await served.stop()
    }

    @Test func `a cycle's lines come while it runs, its reports at the end`() async throws {
        let served = try await ServedAgent()
        served.agent.onCycle { (_, say) throws(ControlError) in
            say(ProgressLine("one"))
            say(ProgressLine("two\nthree"))
        }
        let answer = try await served.ask("POST", "/api/v1/sync", #"{"repositories":["shop"]}"#)
        let events = try ServedAgent.events(answer)
        #expect(events.compactMap(\.line) == ["one", "two\nthree"])
        #expect(events.last?.reports?.map(\.repository) == ["shop"])
        await served.stop()
    }

    @Test func `a cycle that cannot be run is told at the end of its stream`() async throws {
        let served = try await ServedAgent()
        served.agent.onCycle { (_, say) throws(ControlError) in
            say(ProgressLine("one"))
            throw ControlError(.unavailable, "the agent is leaving")
        }
        let answer = try await served.ask("POST", "/api/v1/sync", #"{"repositories":["shop"]}"#)
        #expect(answer.status == 200)
        #expect(try ServedAgent.events(answer).last?.error?.code == .unavailable)
        await served.stop()
    }

    @Test func `a stream to a client of HTTP 1.0 ends with its connection`() async throws {
        let served = try await ServedAgent()
        let connection = try served.connect()
        let body = #"{"repositories":["shop"]}"#
        connection.send(
            "POST /api/v1/sync HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        let text = await Task.detached { connection.readToEnd() }.value
        #expect(text.contains("\r\n\r\n{\"reports\":[{") && text.hasSuffix("}]}\n"), "\(text)")
        await served.stop()
    }

    // MARK: Bad requests

    @Test(arguments: [
        ("GET", "/nowhere", nil as String?, 404, "not-found"),
        ("GET", "/api/v1/", nil, 404, "not-found"),
        ("GET", "/api/v1/repositories/%zz/builds", nil, 404, "not-found"),
        ("GET", "/api/v1/repositories/shop/builds?limit=0", nil, 400, "invalid-request"),
        ("GET", "/api/v1/repositories/shop/builds?limit=9999999999999999999", nil, 400, "invalid-request"),
        ("GET", "/api/v1/repositories/shop/builds?before=x", nil, 404, "unknown-build"),
        ("GET", "/api/v1/builds/..%2F..%2Fetc%2Fpasswd", nil, 404, "unknown-build"),
        ("GET", "/api/v1/builds/20261130082800-00001-7k3f9x", nil, 404, "unknown-build"),
        ("GET", "/api/v1/builds/20261130082800-00001-7k3f9x/log?from=-1", nil, 400, "invalid-request"),
        ("GET", "/api/v1/sync", nil, 405, "method-not-allowed"),
        ("POST", "/api/v1/status", "{}", 405, "method-not-allowed"),
        ("DELETE", "/api/v1/status", nil, 405, "method-not-allowed"),
        ("POST", "/api/v1/sync", "", 400, "invalid-request"),
        ("POST", "/api/v1/sync", "{", 400, "invalid-request"),
        ("POST", "/api/v1/sync", "{}", 400, "invalid-request"),
        ("POST", "/api/v1/sync", #"{"repository":"shop"}"#, 400, "invalid-request"),
        ("POST", "/api/v1/sync", #"{"repositories":"shop"}"#, 400, "invalid-request"),
        ("POST", "/api/v1/sync", #"{"repositories":["shop","other"]}"#, 404, "unknown-repository"),
        ("POST", "/api/v1/sync", String(repeating: "[", count: 100_000), 400, "invalid-request"),
        ("POST", "/api/v1/retry", #"{"pipeline":"web"}"#, 400, "invalid-request"),
    ])
    func `what is wrong with a request is said with a status and a code`(
        _ method: String, _ path: String, _ body: String?, _ status: Int, _ code: String
    ) async throws {
        let served = try await ServedAgent()
        let answer = try await served.ask(method, path, body)
        #expect(answer.status == status)
        #expect(try ServedAgent.code(answer) == code)
        #expect(served.agent.asked.isEmpty)
        await served.stop()
    }

    @Test(arguments: ControlError.Code.allCases)
    func `every error of the agent's has a status of failure and comes with all its words`(
        _ code: ControlError.Code
    ) async throws {
        let served = try await ServedAgent()
        let error = ControlError(code, "a summary", place: "a place", cause: "a cause", hint: "a hint")
        served.agent.fail(with: error)
        let answer = try await served.ask("POST", "/api/v1/retry", #"{"repository":"shop"}"#)
        #expect((400...599).contains(answer.status))
        #expect(try JSONDecoder().decode(ErrorDocument.self, from: Data(answer.body)).error == error)
        await served.stop()
    }

    @Test func `a body that is too large is refused and not kept`() async throws {
        var limits = ServerLimits()
        limits.body = 1_000
        let served = try await ServedAgent(limits: limits)
        let body = #"{"repositories":[""# + String(repeating: "x", count: 4 << 20) + #""]}"#
        let answer = try await served.ask("POST", "/api/v1/sync", body)
        #expect(answer.status == 413)
        #expect(try ServedAgent.code(answer) == "too-large")
        // The connection is good for the next one.
        #expect(try await served.ask("GET", "/healthz").status == 200)
        await served.stop()
    }

    @Test(arguments: [
        "nonsense\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\u{0}\u{0}\u{0}\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nX: " + String(repeating: "x", count: 200_000) + "\r\n\r\n",
        "POST /api/v1/sync HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        "POST /api/v1/sync HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    ])
    func `what is not HTTP ends its connection, and only that`(_ text: String) async throws {
        let served = try await ServedAgent()
        let connection = try served.connect()
        connection.send(text)
        let answer = await Task.detached { connection.readToEnd() }.value
        #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 4"), "\(answer.prefix(200))")
        #expect(try await served.ask("GET", "/healthz").status == 200)
        #expect(served.agent.asked.isEmpty)
        await served.stop()
    }

    // MARK: Slow and vanished clients

    @Test(arguments: ["", "POST /api/v1/sy", "POST /api/v1/sync HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"])
    func `a client that does not finish its request is given up`(_ text: String) async throws {
        var limits = ServerLimits()
        limits.patience = .milliseconds(50)
        let served = try await ServedAgent(limits: limits)
        let connection = try served.connect()
        connection.send(text)
        #expect(await Task.detached { connection.readToEnd() }.value.isEmpty)
        #expect(served.agent.asked.isEmpty)
        await served.stop()
    }

    @Test func `a client that goes away ends no cycle`() async throws {
        let served = try await ServedAgent()
        let (begun, didBegin) = AsyncStream.makeStream(of: Void.self)
        let (gone, isGone) = AsyncStream.makeStream(of: Void.self)
        let (ended, didEnd) = AsyncStream.makeStream(of: Bool.self)
        served.agent.onCycle { (_, say) throws(ControlError) in
            didBegin.yield()
            for await _ in gone { break }
            for _ in 0..<1_000 { say(ProgressLine("nobody reads this")) }
            didEnd.yield(Task.isCancelled)
        }
        let connection = try served.connect()
        let body = #"{"repositories":["shop"]}"#
        connection.send(
            "POST /api/v1/sync HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        for await _ in begun { break }
        connection.vanish()
        isGone.yield()
        var wasCancelled: Bool?
        for await value in ended {
            wasCancelled = value
            break
        }
        #expect(wasCancelled == false)
        #expect(try await served.ask("GET", "/healthz").status == 200)
        await served.stop()
        #expect(served.agent.finished == ["complete shop"])
    }

    @Test func `a client that does not read holds up no cycle, and misses lines`() async throws {
        let served = try await ServedAgent()
        let count = 20_000
        let line = String(repeating: "x", count: 1_000)
        let (ended, didEnd) = AsyncStream.makeStream(of: Void.self)
        served.agent.onCycle { (_, say) throws(ControlError) in
            for _ in 0..<count { say(ProgressLine(line)) }
            didEnd.yield()
        }
        let connection = try served.connect()
        let body = #"{"repositories":["shop"]}"#
        connection.send(
            "POST /api/v1/sync HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        )
        // 20 MB went to nobody, and the cycle is over.
        for await _ in ended { break }
        let text = await Task.detached { connection.readToEnd() }.value
        #expect(text.utf8.count < 2 << 20)
        #expect(text.contains(#""reports":[{"#))
        await served.stop()
    }

    @Test func `more clients than there is room for are turned away`() async throws {
        var limits = ServerLimits()
        limits.connections = 2
        let served = try await ServedAgent(limits: limits)
        let (one, two) = (try served.connect(), try served.connect())
        let third = try served.connect()
        #expect(await Task.detached { third.readToEnd() }.value.isEmpty)
        one.vanish()
        two.vanish()
        try await waitUntil("there is room again") { (try? await served.ask("GET", "/healthz").status) == 200 }
        await served.stop()
    }

    // MARK: TCP

    @Test(arguments: [
        ("GET", "/healthz", 200), ("HEAD", "/api/v1/status", 200), ("GET", "/api/v1/status", 200),
        ("GET", "/api/v1/repositories/shop/builds", 200), ("GET", "/metrics", 200), ("GET", "/nowhere", 404),
        ("POST", "/api/v1/sync", 405), ("POST", "/api/v1/plan", 405), ("POST", "/api/v1/retry", 405),
        ("POST", "/api/v1/edits", 405), ("GET", "/api/v1/repositories/shop/images", 405),
        ("POST", "/api/v1/status", 405), ("PUT", "/healthz", 405),
    ])
    func `who comes by the network may look and do nothing`(
        _ method: String, _ path: String, _ status: Int
    ) async throws {
        let agent = FakeAgent()
        let server = try await AgentServer.start(address: "127.0.0.1:0", control: agent)
        var configuration = HTTPConfiguration()
        configuration.allowsPlainHTTPLocally = true
        let request = HTTPRequest(
            method, try HTTPURL("http://127.0.0.1:\(server.port)\(path)"),
            body: method == "GET" || method == "HEAD" ? .none : .bytes(Array(#"{"repositories":[]}"#.utf8)))
        #expect(try await HTTPClient(configuration).send(request, limit: 1 << 20).status == status)
        #expect(agent.asked.allSatisfy { $0.hasPrefix("builds") })
        await server.stop()
    }
}
