import Cluster
import Foundation
import HTTP
import JSON
import Logging
import Synchronization
import Telemetry
import TestSupport
import Testing
import Webhooks

@testable import Agent
@testable import Server

/// A replica that does not lead, in front of one that does.
@Suite(.tags(.integration)) struct StandbyTests {
    /// Two replicas on this machine: `leader` answers by a fake agent, `standby` hands everything to it.
    private struct Pair {
        let agent = FakeAgent()
        let replica: Replica
        let directory: TemporaryDirectory
        let standby: AgentServer
        let leader: AgentServer
        let isTLS: Bool

        init(
            api: APISettings = APISettings(), receivers: WebhookReceivers = .none,
            tls: (leader: ServerTLS, ServerTLS)? = nil
        ) async throws {
            directory = try TemporaryDirectory("standby")
            isTLS = tls != nil
            replica = StandbyTests.replica("two")
            replica.adopt(receivers)
            leader = try await AgentServer.start(
                address: "127.0.0.1:0", control: agent, access: APIAccess(api, address: "127.0.0.1:0"),
                takesWebhooks: true, tls: tls?.leader)
            standby = try await AgentServer.start(
                address: "127.0.0.1:0", replica: replica, access: APIAccess(api, address: "127.0.0.1:0"),
                takesWebhooks: true, tls: tls?.1)
        }

        func elect(_ place: String? = nil) {
            let place = place ?? "\(isTLS ? "https" : "http")://127.0.0.1:\(leader.port)"
            replica.note(.seen(StandbyTests.lease("one_1", at: place)))
        }

        func ask(
            _ method: String = "GET", _ path: String, _ headers: HTTPHeaders = [:], body: String? = nil
        ) async throws -> HTTPResponse {
            var configuration = HTTPConfiguration()
            configuration.plainHTTP = .everywhere
            configuration.skipsVerification = true
            return try await HTTPClient(configuration).send(
                HTTPRequest(
                    method, try HTTPURL("\(isTLS ? "https" : "http")://127.0.0.1:\(standby.port)\(path)"),
                    headers: headers, body: body.map { .bytes(Array($0.utf8)) } ?? .none), limit: 1 << 22)
        }

        func stop() async {
            await standby.stop()
            await leader.stop()
        }
    }

    private static func replica(_ name: String) -> Replica {
        Replica(
            identity: name, lease: "Lease slipway/slipway", health: AgentHealth(metrics: Metrics()),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private static func lease(_ holder: String, at place: String) -> Lease {
        Lease([
            "metadata": [
                "annotations": ["slipway.dev/address": .string(place), "slipway.dev/webhook-address": .string(place)]
            ],
            "spec": ["holderIdentity": .string(holder), "leaseDurationSeconds": 15],
        ])
    }

    private static func text(_ response: HTTPResponse) -> String { String(decoding: response.body, as: UTF8.self) }

    // MARK: Passing on

    @Test func `what is read and what is ordered comes from the leader, as it answers`() async throws {
        let token = try TemporaryDirectory("token")
        try Data("secret\n".utf8).write(to: URL(fileURLWithPath: token.file("token")))
        var settings = APISettings()
        settings.tokenFile = token.file("token")
        let pair = try await Pair(api: settings)
        pair.elect()
        let status = try await pair.ask("GET", "/api/v1/status")
        #expect(status.status == 200)
        #expect(status.headers["Content-Type"] == "application/json")
        #expect(Self.text(status).contains("shop"))
        #expect(try await pair.ask("HEAD", "/api/v1/status").status == 200)
        let page = try await pair.ask("GET", "/", ["Accept": "text/html"])
        #expect(page.headers["Content-Type"]?.hasPrefix("text/html") == true)
        #expect(try await pair.ask("GET", "/api/v1/repositories/a%2Fb/builds?limit=3").status == 200)
        let order = #"{"repositories":["shop"]}"#
        let sync = try await pair.ask("POST", "/api/v1/sync", ["Authorization": "Bearer secret"], body: order)
        #expect(sync.status == 200)
        #expect(sync.headers["Content-Type"] == "application/x-ndjson")
        #expect(pair.agent.asked == ["builds a/b 3 -", "complete shop"])
        // A wrong token gets no further than here.
        for headers: HTTPHeaders in [["Authorization": "Bearer wrong"], [:]] {
            let refused = try await pair.ask("POST", "/api/v1/sync", headers, body: order)
            #expect(refused.status == 401)
            #expect(refused.headers["WWW-Authenticate"] == "Bearer realm=\"slipway\"")
        }
        #expect(pair.agent.asked.count == 2)
        #expect(try await pair.ask("GET", "/no/such/thing").status == 404)
        await pair.stop()
    }

    /// Reads a stream until a mark comes.
    private final class Ear: BodyReceiver {
        private let bytes = Mutex<[UInt8]>([])
        private let mark: String

        init(until mark: String) { self.mark = mark }

        var heard: String { String(decoding: bytes.withLock(\.self), as: UTF8.self) }
        func begin(_ head: HTTPHead) -> Bool { head.headers["Content-Type"] == "text/event-stream" }
        func receive(_ new: UnsafeRawBufferPointer) -> Bool {
            bytes.withLock { $0 += new }
            return !heard.contains(mark)
        }
    }

    @Test func `events arrive while they happen, and the leader hears that a client has gone`() async throws {
        let pair = try await Pair()
        pair.elect()
        var configuration = HTTPConfiguration()
        configuration.plainHTTP = .everywhere
        let (client, ear) = (HTTPClient(configuration), Ear(until: "\"shop\""))
        let url = try HTTPURL("http://127.0.0.1:\(pair.standby.port)/api/v1/events")
        async let end = client.send(HTTPRequest("GET", url), into: ear)
        try await waitUntil("the leader has a listener") { pair.agent.journal.listenerCount == 1 }
        pair.agent.journal.append(AgentEvent(.cycle, of: "shop", at: 100))
        do { _ = try await end } catch let error as HTTPError { #expect(error.code == .receiverStopped) }
        #expect(ear.heard.contains("event: cycle\ndata: {"), "\(ear.heard)")
        try await waitUntil("the leader's listener is gone") { pair.agent.journal.listenerCount == 0 }
        await pair.stop()
    }

    @Test func `probes and metrics are the replica's own`() async throws {
        let pair = try await Pair()
        #expect(try await pair.ask("GET", "/healthz").status == 200)
        let early = try await pair.ask("GET", "/readyz")
        #expect(early.status == 503)
        pair.replica.note(.failed(ClusterError(.unavailable, "no route")))
        #expect(try await Self.text(pair.ask("GET", "/readyz")).contains("was not read yet"))
        pair.elect()
        #expect(try await Self.text(pair.ask("GET", "/readyz")) == "ready; standby: one_1 leads\n")
        let metrics = try await Self.text(pair.ask("GET", "/metrics"))
        #expect(metrics.contains("\nslipway_leader 0.0\n"))
        #expect(metrics.contains("\nslipway_leader_changes_total 1.0\n"))
        #expect(pair.agent.asked.isEmpty)
        await pair.stop()
    }

    @Test func `a request that was passed on is not passed on again`() async throws {
        let pair = try await Pair()
        // Each thinks that the other one leads.
        pair.elect("http://127.0.0.1:\(pair.standby.port)")
        let answer = try await pair.ask("GET", "/api/v1/status", ["Slipway-Passed-By": "three"])
        #expect(answer.status == 503)
        #expect(Self.text(answer).contains("does not lead"))
        let hook = try await pair.ask("POST", "/webhooks/x", ["Slipway-Passed-By": "three"], body: "{}")
        #expect(hook.status == 503)
        #expect(pair.agent.asked.isEmpty)
        await pair.stop()
    }

    @Test func `a request waits for the next leader, and this replica may be it`() async throws {
        let pair = try await Pair()
        async let answer = pair.ask("GET", "/api/v1/status")
        pair.elect()
        #expect(try await answer.status == 200)
        // The leader is gone; then this one leads.
        pair.elect("http://127.0.0.1:\(try TestSupport.Server.freePort())")
        async let late = pair.ask("GET", "/api/v1/repositories/shop/builds")
        pair.replica.lead(pair.agent)
        #expect(try await late.status == 200)
        #expect(pair.agent.asked == ["builds shop 50 -"])
        #expect(pair.replica.metrics(as: .prometheus).contains("\nslipway_leader 1.0\n"))
        #expect(try await Self.text(pair.ask("GET", "/readyz")) == "ready\n")
        await pair.stop()
    }

    @Test func `commands on the socket are told where the leader is`() async throws {
        let directory = try TemporaryDirectory("standby-socket")
        let socket = try #require(try AgentSocket.bind(in: directory.path))
        let replica = Self.replica("two")
        replica.note(.seen(Self.lease("slipway-abc_1", at: "http://127.0.0.1:1")))
        let server = try await AgentServer.start(socket: socket, replica: replica)
        var configuration = HTTPConfiguration()
        configuration.unixSocket = socket.path
        configuration.plainHTTP = .hosts(["agent"])
        let answer = try await HTTPClient(configuration).send(
            HTTPRequest("GET", try HTTPURL("http://agent/api/v1/status")), limit: 1 << 20)
        #expect(answer.status == 503)
        #expect(Self.text(answer).contains("run the command in its pod, slipway-abc"))
        await server.stop()
        socket.remove()
    }

    // MARK: Webhooks

    private static func receivers(_ directory: TemporaryDirectory) async throws -> WebhookReceivers {
        try Data("s3cret\n".utf8).write(to: URL(fileURLWithPath: directory.file("hook")))
        var configuration = WebhookConfiguration()
        var receiver = WebhookConfiguration.Receiver(name: "gitlab", kind: .gitlab)
        receiver.secretFiles = [directory.file("hook")]
        configuration.receivers = [receiver]
        return try await WebhookReceivers.load(configuration)
    }

    private static let push =
        #"{"object_kind":"push","ref":"refs/heads/main","project":{"git_http_url":"https://git.example.com/acme/shop.git"}}"#
    private static let pushHeaders: HTTPHeaders = [
        "X-Gitlab-Token": "s3cret", "X-Gitlab-Event": "Push Hook", "Content-Type": "application/json",
    ]

    @Test func `webhooks that come while nobody leads are handed to the next leader, and forged ones are not`()
        async throws
    {
        let secrets = try TemporaryDirectory("secrets")
        let pair = try await Pair(receivers: try await Self.receivers(secrets))
        for _ in 0..<3 {
            #expect(try await pair.ask("POST", "/webhooks/gitlab", Self.pushHeaders, body: Self.push).status == 202)
        }
        var forged = Self.pushHeaders
        forged["X-Gitlab-Token"] = "guess"
        #expect(try await pair.ask("POST", "/webhooks/gitlab", forged, body: Self.push).status == 401)
        #expect(try await pair.ask("POST", "/webhooks/other", Self.pushHeaders, body: Self.push).status == 404)
        #expect(pair.agent.asked.isEmpty)
        pair.elect()
        let hook = "webhook gitlab  POST \(Self.push.utf8.count)"
        try await waitUntil("the leader has them") { pair.agent.asked == [hook, hook, hook] }
        #expect(
            pair.replica.metrics(as: .prometheus).contains("slipway_webhooks_handed_over_total{result=\"delivered\"} 3")
        )
        await pair.stop()
    }

    @Test func `a replica that comes to lead obeys the webhooks that it kept`() async throws {
        let secrets = try TemporaryDirectory("secrets")
        let pair = try await Pair(receivers: try await Self.receivers(secrets))
        #expect(try await pair.ask("POST", "/webhooks/gitlab", Self.pushHeaders, body: Self.push).status == 202)
        let own = FakeAgent()
        pair.replica.lead(own)
        try await waitUntil("it has obeyed") { own.asked.count == 1 }
        #expect(pair.agent.asked.isEmpty)
        await pair.stop()
    }

    // MARK: Trust

    @Test func `with TLS the leader is who has the same key, and nobody else`() async throws {
        let (own, foreign) = (try TemporaryDirectory("own"), try TemporaryDirectory("foreign"))
        func load(_ directory: TemporaryDirectory) async throws -> ServerTLS {
            try TestCertificates.make(in: directory.path)
            return try await ServerTLS.load(
                TLSSettings(certFile: directory.file("server.pem"), keyFile: directory.file("server.key")))
        }
        let (mine, other) = (try await load(own), try await load(foreign))
        let good = try await Pair(tls: (mine, mine))
        good.elect()
        #expect(try await good.ask("GET", "/api/v1/repositories/shop/builds").status == 200)
        #expect(good.agent.asked.count == 1)
        await good.stop()

        let bad = try await Pair(tls: (other, mine))
        let stranger = LeaderPlace(isTLS: true, host: "127.0.0.1", port: bad.leader.port)
        // Nor is TLS given up because a Lease says so.
        let plain = LeaderPlace(isTLS: false, host: "127.0.0.1", port: bad.leader.port)
        for place in [stranger, plain] {
            let outcome = try await LinkProbe(LeaderLink(identity: "two", tls: mine)).outcome(place)
            #expect(outcome == .nothingSent)
        }
        #expect(bad.agent.asked.isEmpty)
        await bad.stop()
    }

    @Test(arguments: [
        ("http://10.0.0.7:8080", true), ("https://[fd00::7]:8443", true), ("http://evil.example.com:80", false),
        ("http://10.0.0.7", false), ("http://10.0.0.7:8080/path", false), ("http://user@10.0.0.7:8080", false),
        ("ftp://10.0.0.7:21", false), ("http://10.0.0.7:0", false), ("http://010.0.0.7:80", false), ("", false),
    ]) func `a leader is where an address of digits says`(_ text: String, _ isPlace: Bool) {
        #expect((LeaderPlace(text) != nil) == isPlace)
        if isPlace { #expect(LeaderPlace(text)?.text == text) }
    }

    @Test(
        arguments: [
            ("0.0.0.0:8080", "10.0.0.7", "http://10.0.0.7:8080"), (":8080", "fd00::7", "http://[fd00::7]:8080"),
            ("127.0.0.1:80", "10.0.0.7", "http://127.0.0.1:80"), ("0.0.0.0:8080", nil, nil),
            ("host:80", "10.0.0.7", nil),
            ("0.0.0.0:0", "10.0.0.7", nil),
        ] as [(String, String?, String?)]) func `where others reach this replica`(
            _ listen: String, _ pod: String?, _ place: String?
        )
    {
        #expect(LeaderPlace(listening: listen, isTLS: false, pod: pod)?.text == place)
    }
}
