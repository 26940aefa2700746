import Foundation
import Synchronization
import Template
import TestSupport
import Testing
import Webhooks

@testable import Notifications

/// Channels over HTTP, against fakes of their hosts.
@Suite(.tags(.integration)) struct HTTPChannelTests {
    private let scratch: TemporaryDirectory

    init() throws { scratch = try TemporaryDirectory("channels") }

    private func secret(_ name: String, _ text: String) throws -> SecretFile {
        try "\(text)\n".write(toFile: scratch.file(name), atomically: true, encoding: .utf8)
        return SecretFile(scratch.file(name))
    }

    private static let plain = ChannelTransport(userAgent: "slipway/test", isInsecure: true)
    private static let path = "/services/T0000/B0000/XXXXsecretXXXXsecret"

    private func slack(_ server: StubServer) throws -> SlackChannel {
        SlackChannel(
            name: "ops", access: .webhook(try secret("url", server.url + Self.path)), transport: Self.plain)
    }

    @Test func `Slack and Teams take what is sent`() async throws {
        let (slackHost, teamsHost) = (try FakeHost.slack.server(), try FakeHost.teams.server())
        let url = try secret("teams", teamsHost.url + "/workflows/a%2Fb/paths/invoke?api-version=1&sig=a%2Fb_c-d")
        let channels: [any NotificationChannel] = [
            try slack(slackHost), TeamsChannel(name: "teams", url: url, transport: Self.plain),
        ]
        for channel in channels {
            for notices in ChatMessageTests.batches { _ = try await channel.deliver(notices) }
        }
        #expect(slackHost.requests.count == ChatMessageTests.batches.count)
        #expect(slackHost.requests[0].headers["content-type"] == "application/json; charset=utf-8")
        #expect(slackHost.requests[0].headers["user-agent"] == "slipway/test")
        // The URL goes out as it is in the file, byte for byte.
        #expect(teamsHost.requests[0].target == "/workflows/a%2Fb/paths/invoke?api-version=1&sig=a%2Fb_c-d")
    }

    @Test func `a bot posts to its channel, and Slack's errors with status 200 are errors`() async throws {
        let answers = Mutex<[(Int, String, [(String, String)])]>([
            (200, #"{"ok":true,"ts":"1"}"#, []), (200, #"{"ok":false,"error":"not_in_channel"}"#, []),
            (200, #"{"ok":false,"error":"internal_error"}"#, []), (429, "", [("Retry-After", "7")]),
            (200, "<html>", []),
        ])
        let server = try StubServer { _ in
            let (status, text, headers) = answers.withLock { $0.removeFirst() }
            return .text(status, text, headers: headers)
        }
        let channel = SlackChannel(
            name: "ops",
            access: .bot(token: try secret("token", "xoxb-s3cr3t-token"), channel: "#ops", api: server.url + "/api"),
            transport: Self.plain)
        _ = try await channel.deliver([Samples.notice()])
        #expect(server.requests[0].target == "/api/chat.postMessage")
        #expect(server.requests[0].headers["authorization"] == "Bearer xoxb-s3cr3t-token")
        #expect(try Sent(server.requests[0].body)["channel"].text == "#ops")
        func failure() async throws -> DeliveryError {
            try await #require(throws: DeliveryError.self) { try await channel.deliver([Samples.notice()]) }
        }
        let absent = try await failure()
        #expect(absent.retry == .never)
        #expect(absent.cause == "not_in_channel")
        #expect(absent.hint?.contains("/invite") == true)
        #expect(try await failure().retry == .later(after: nil))
        #expect(try await failure().retry == .later(after: 7))
        #expect(try await failure().retry == .never)
    }

    @Test(arguments: [
        (400, DeliveryError.Retry.never), (403, .never), (404, .never), (410, .never), (302, .never), (307, .never),
        (408, .later(after: nil)), (425, .later(after: nil)), (429, .later(after: nil)), (500, .later(after: nil)),
        (503, .later(after: nil)),
    ])
    func `what may pass is sent again, and nothing else`(_ status: Int, _ retry: DeliveryError.Retry) async throws {
        let server = try StubServer {
            .text(status, "no: \($0.target)", headers: [("Location", "/elsewhere" + $0.target)])
        }
        let error = try await #require(throws: DeliveryError.self) {
            try await slack(server).deliver([Samples.notice()])
        }
        #expect(error.retry == retry)
        #expect(error.place == server.host)
        // A host that quotes the URL does not bring it to the log.
        #expect(!"\(error)".contains("XXXXsecret"))
        #expect(server.requests.count == 1)
    }

    @Test func `Retry-After is what the host says`() async throws {
        let server = try StubServer { _ in .text(429, "slow down", headers: [("Retry-After", "30")]) }
        let error = try await #require(throws: DeliveryError.self) {
            try await slack(server).deliver([Samples.notice()])
        }
        #expect(error.retry == .later(after: 30))
        #expect(error.cause == "slow down")
    }

    @Test func `no failure tells the URL`() async throws {
        let port = try Server.freePort()
        let places = [
            "http://127.0.0.1:\(port)", "https://127.0.0.1:\(port)", "http://nowhere.invalid", "http://user@127.0.0.1",
            "ftp://127.0.0.1",
        ]
        for place in places {
            let channel = SlackChannel(
                name: "ops", access: .webhook(try secret("url", place + Self.path)), transport: Self.plain)
            let error = try await #require(throws: DeliveryError.self) { try await channel.deliver([Samples.notice()]) }
            #expect(!"\(error)".contains("secret"), "\(error)")
        }
    }

    @Test func `plain HTTP wants to be allowed`() async throws {
        let server = try FakeHost.slack.server()
        let channel = SlackChannel(
            name: "ops", access: .webhook(try secret("url", server.url + Self.path)),
            transport: ChannelTransport(userAgent: "x"))
        let error = try await #require(throws: DeliveryError.self) { try await channel.deliver([Samples.notice()]) }
        #expect(error.hint?.contains("insecure") == true)
        #expect(server.requests.isEmpty)
    }

    @Test func `the URL is read whenever it is needed`() async throws {
        let (one, other) = (try FakeHost.slack.server(), try FakeHost.slack.server())
        let channel = try slack(one)
        _ = try await channel.deliver([Samples.notice()])
        _ = try secret("url", other.url + Self.path)
        _ = try await channel.deliver([Samples.notice()])
        #expect(one.requests.count == 1)
        #expect(other.requests.count == 1)
        try FileManager.default.removeItem(atPath: scratch.file("url"))
        let error = try await #require(throws: DeliveryError.self) { try await channel.deliver([Samples.notice()]) }
        #expect(error.retry == .later(after: nil))
        #expect(error.place == scratch.file("url"))
        _ = try secret("url", "one\ntwo")
        await #expect(throws: DeliveryError.self) { try await channel.deliver([Samples.notice()]) }
    }

    // MARK: Webhooks

    @Test func `a webhook gets CloudEvents, signed so that nobody can repeat them`() async throws {
        let server = try FakeHost.cloudEvents.server()
        let key = "whsec_" + Data((0..<32).map { UInt8($0) }).base64EncodedString()
        var secrets = WebhookChannel.Secrets()
        secrets.signing = try secret("key", key)
        let time = Mutex<Int64>(1_790_000_000)
        let channel = WebhookChannel(
            name: "events", address: .text(server.url + "/hook"), shape: WebhookChannel.Shape(), secrets: secrets,
            transport: Self.plain, now: { time.withLock { $0 } })
        let notice = Samples.hostileNotice
        _ = try await channel.deliver([notice])
        time.withLock { $0 += 60 }
        _ = try await channel.deliver([notice])
        let requests = server.requests
        let sent = try Sent(requests[0].body)
        #expect(sent["id"].text == notice.id)
        #expect(sent["type"].text == "dev.slipway.build-failed")
        #expect(sent["subject"].text == "shop/web")
        #expect(sent["data"]["severity"].text == "error")
        #expect(sent["data"]["title"].text == notice.title)
        // The same event again has the same id, and another time.
        #expect(requests.map { $0.headers["webhook-id"] } == [notice.id, notice.id])
        #expect(requests.map { $0.headers["webhook-timestamp"] } == ["1790000000", "1790000060"])
        #expect(requests[0].body == requests[1].body)

        // Another implementation believes the request, for five minutes, and no other body.
        let receiver = WebhookReceiver(
            kind: .standardWebhooks, secrets: [try WebhookSecret(key, for: .standardWebhooks)])
        func outcome(_ body: [UInt8], at now: Int64) -> WebhookOutcome {
            receiver.receive(
                WebhookRequest(
                    method: "POST", headers: requests[0].headers.map { (name: $0.key, value: $0.value) }, body: body),
                now: now)
        }
        #expect(outcome(requests[0].body, at: 1_790_000_000) != .refused(.unauthorized))
        #expect(outcome(requests[0].body, at: 1_790_000_299) != .refused(.unauthorized))
        #expect(outcome(requests[0].body, at: 1_790_000_301) == .refused(.unauthorized))
        #expect(outcome(requests[0].body + [0x20], at: 1_790_000_000) == .refused(.unauthorized))
    }

    @Test func `a signature is that of the published example`() throws {
        // The example of Standard Webhooks' own libraries.
        let signature = try WebhookSignature(secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        let headers = signature.headers(
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek", time: 1_614_265_330, body: Array(#"{"test": 2432232314}"#.utf8))
        #expect(headers.last?.value == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
        for bad in ["", "short", "whsec_", "whsec_AAAA", "whsec_%%%%"] {
            #expect(WebhookSignature.problem(with: bad) != nil, "\(bad)")
        }
        #expect(WebhookSignature.problem(with: "0123456789abcdef") == nil)
    }

    @Test func `what a template shows is one text, whatever is in it`() async throws {
        let server = try StubServer { _ in .answer(204) }
        var shape = WebhookChannel.Shape()
        shape.method = "PUT"
        shape.body = .members([
            ("title", .text(try Template("{{ .title }}", name: "a"))),
            ("nothing", .text(try Template("{{ .hint }}{{ if false }}x{{ end }}", name: "b"))),
            ("empty", .members([("inner", .text(try Template("{{ if false }}x{{ end }}", name: "c")))])),
            ("list", .list([.literal(.number("1")), .literal(.bool(true)), .literal(.null)])),
            ("key", .text(try Template("{{ .secrets.routing }}", name: "d"))),
        ])
        shape.headers = [("X-Title", try Template("{{ .title }}", name: "e"))]
        var secrets = WebhookChannel.Secrets()
        secrets.named = ["routing": try secret("routing", "r0uting-k3y")]
        secrets.token = try secret("token", "t0ken-value")
        let channel = WebhookChannel(
            name: "own", address: .text(server.url + "/send/{id}"), shape: shape, secrets: secrets,
            transport: Self.plain)
        try channel.check()
        let notice = Samples.notice(title: Samples.hostile + Samples.headerInjection + "\"},{\"a\":\"", hint: nil)
        _ = try await channel.deliver([notice])
        let request = server.requests[0]
        #expect(request.method == "PUT")
        #expect(request.target == "/send/\(notice.id)")
        #expect(request.headers["authorization"] == "Bearer t0ken-value")
        #expect(request.headers["x-title"] == notice.title)
        #expect(request.headers["bcc"] == nil)
        let sent = try Sent(request.body)
        #expect(sent.keys == ["title", "list", "key"])
        #expect(sent["title"].text == notice.title)
        #expect(sent["key"].text == "r0uting-k3y")
        #expect(sent["list"].list.count == 3)
    }

    @Test func `secrets that a host quotes stay secret`() async throws {
        let server = try StubServer { request in
            .text(401, "bad \(request.headers["authorization"] ?? "") \(String(decoding: request.body, as: UTF8.self))")
        }
        var shape = WebhookChannel.Shape()
        shape.body = .members([("key", .text(try Template("{{ .secrets.routing }}", name: "a")))])
        var secrets = WebhookChannel.Secrets()
        secrets.named = ["routing": try secret("routing", "r0uting-k3y")]
        secrets.token = try secret("token", "t0ken-value")
        let channel = WebhookChannel(
            name: "own", address: .text(server.url), shape: shape, secrets: secrets, transport: Self.plain)
        let error = try await #require(throws: DeliveryError.self) { try await channel.deliver([Samples.notice()]) }
        #expect(error.cause == #"bad Bearer [secret] {"key":"[secret]"}"#)
        #expect(error.hint == "check the channel's secret")
    }

    @Test func `HTTPS is verified, by the channel's own authority too`() async throws {
        let server = try FakeHost.slack.server()
        let front = try await TLSFront(before: server.port)
        let url = try secret("url", front.url + Self.path)
        func channel(_ caFile: String?) -> SlackChannel {
            SlackChannel(
                name: "ops", access: .webhook(url), transport: ChannelTransport(userAgent: "x", caFile: caFile))
        }
        let error = try await #require(throws: DeliveryError.self) {
            try await channel(nil).deliver([Samples.notice()])
        }
        #expect(error.summary.contains("certificate"))
        #expect(error.retry == .never)
        #expect(server.requests.isEmpty)
        let receipt = try await channel(front.certificateAuthority).deliver([Samples.notice()])
        #expect(receipt == DeliveryReceipt(host: front.host, status: 200, answer: "ok"))
    }
}
