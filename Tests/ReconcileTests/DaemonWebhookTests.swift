import Agent
import AgentFakes
import Cryptography
import OCI
import TestSupport
import Testing
import Webhooks

/// What webhooks set going: cycles at once, as few as will do, and nothing for strangers.
@Suite(.tags(.unit)) struct DaemonWebhookTests {
    private static let secret = "correct horse battery staple"

    private static func receiver(
        _ name: String, _ kind: WebhookKind, in directory: TemporaryDirectory, for repositories: [String] = []
    ) throws -> WebhookConfiguration.Receiver {
        let file = directory.file("\(name).secret")
        try write(secret, to: file)
        var receiver = WebhookConfiguration.Receiver(name: name, kind: kind)
        receiver.secretFiles = [file]
        receiver.repositories = repositories
        return receiver
    }

    private static func write(_ text: String, to file: String) throws { try TextFile.write(text + "\n", to: file) }

    /// An agent of two repositories, of which `shop` follows `acme/db`, with a receiver of each sort.
    private static func world(_ directory: TemporaryDirectory) async throws -> DaemonWorld {
        let world = try await DaemonWorld("shop", "blog", webhooks: try configuration(directory))
        world.registry.push("acme/db", "1.0.0")
        world.host("shop").commit(["deploy/db.yaml": World.deployment("db", image: "acme/db:1.0.0")])
        world.host("blog").commit(["README": "1"])
        try await world.begin()
        return world
    }

    private static func configuration(_ directory: TemporaryDirectory) throws -> WebhookConfiguration {
        var configuration = WebhookConfiguration()
        configuration.receivers = [
            try receiver("git", .github, in: directory), try receiver("hub", .distribution, in: directory),
            try receiver("script", .generic, in: directory),
            try receiver("blog-only", .generic, in: directory, for: ["blog"]),
        ]
        return configuration
    }

    private static func push(
        _ repository: String, _ ref: String = "refs/heads/main", delivery: String? = nil, secret: String = secret
    ) -> WebhookRequest {
        let body = Array(
            #"{"ref":"\#(ref)","after":"1","repository":{"clone_url":"\#(FakeHosts.url(repository).uppercased())"}}"#
                .utf8)
        var headers = [
            (name: "X-GitHub-Event", value: "push"),
            (
                name: "X-Hub-Signature-256",
                value: "sha256=" + Encoding.hexadecimal(HMAC.sha256(body, key: Array(secret.utf8)))
            ),
        ]
        if let delivery { headers.append((name: "X-GitHub-Delivery", value: delivery)) }
        return WebhookRequest(method: "POST", headers: headers, body: body)
    }

    private static func token(_ body: String) -> WebhookRequest {
        WebhookRequest(
            method: "POST", headers: [(name: "Authorization", value: "Bearer \(secret)")], body: Array(body.utf8))
    }

    private static func image(_ host: String, _ name: String, _ tag: String) -> WebhookRequest {
        token(
            #"{"events":[{"action":"push","target":{"repository":"\#(name)","tag":"\#(tag)","url":"/manifests/"},"request":{"host":"\#(host)"}}]}"#
        )
    }

    private static func requests(_ world: DaemonWorld, _ receiver: String, _ result: String) -> String {
        let name = "slipway_webhook_requests_total{receiver=\"\(receiver)\",result=\"\(result)\"} "
        let line = world.health.metrics.text.split(separator: "\n").first { $0.hasPrefix(name) }
        return line.map { String($0.dropFirst(name.count)) } ?? "0"
    }

    // MARK: What begins

    @Test func `a push is looked at at once, by the repositories that follow its branch`() async throws {
        let directory = try TemporaryDirectory("webhooks")
        let world = try await Self.world(directory)
        let start = world.clock.now
        world.host("shop").commit(["deploy/db.yaml": World.deployment("db", image: "acme/db:0.9.0")])
        #expect(await world.loop.webhook("git", Self.push("shop")).status == 202)
        try await world.idle()
        #expect(world.host("shop").text("deploy/db.yaml")?.contains("acme/db:1.0.0") == true)
        #expect(world.clock.now == start)
        #expect([world.host("shop").fetches, world.host("blog").fetches] == [2, 1])
        #expect(Self.requests(world, "git", "accepted") == "1.0")
        #expect(world.health.metrics.text.contains("slipway_webhook_cycles_total 1.0\n"))
        #expect(world.health.metrics.text.contains("slipway_webhook_latency_seconds_total "))
    }

    @Test func `a pushed image is rolled out at once, whatever is known of its registry`() async throws {
        let directory = try TemporaryDirectory("webhooks")
        let world = try await Self.world(directory)
        world.registry.push("acme/db", "1.1.0")
        #expect(await world.loop.webhook("hub", Self.image("docker.io", "acme/db", "1.1.0")).status == 202)
        try await world.idle()
        #expect(world.host("shop").text("deploy/db.yaml")?.contains("acme/db:1.1.0") == true)
        #expect(world.registry.expired == ["acme/db:1.1.0"])
        #expect(world.host("blog").fetches == 1)
    }

    @Test func `an image is followed by those whose last cycle asked for it`() async throws {
        let directory = try TemporaryDirectory("webhooks")
        let world = try await Self.world(directory)
        world.host("shop").commit(["deploy/db.yaml": nil])
        world.host("blog").commit(["deploy/db.yaml": World.deployment("db", image: "acme/db:1.0.0")])
        try await world.nextLook()
        world.registry.push("acme/db", "1.1.0")
        _ = await world.loop.webhook("hub", Self.image("docker.io", "acme/db", "1.1.0"))
        try await world.idle()
        #expect([world.host("shop").fetches, world.host("blog").fetches] == [2, 3])
        #expect(world.host("blog").text("deploy/db.yaml")?.contains("acme/db:1.1.0") == true)
    }

    @Test func `events that concern nobody are taken, and begin nothing`() async throws {
        let directory = try TemporaryDirectory("webhooks")
        let world = try await Self.world(directory)
        let gone =
            #"{"ref":"refs/heads/main","deleted":true,"after":"0","repository":{"clone_url":"\#(FakeHosts.url("shop"))"}}"#
        for (receiver, request) in [
            ("git", Self.push("unknown")), ("git", Self.push("shop", "refs/heads/other")),
            ("git", Self.push("shop", "refs/tags/main")), ("git", Self.push("shop", "refs/pull/1/head")),
            ("hub", Self.image("docker.io", "acme/unknown", "1")), ("hub", Self.image("other.example", "acme/db", "1")),
            ("hub", Self.image("", "", "")), ("script", Self.token(#"{"repository":"https://elsewhere.example/a/b"}"#)),
            // Without a list of its own, it does not start all.
            ("script", Self.token("{}")),
        ] {
            #expect([200, 202].contains(await world.loop.webhook(receiver, request).status))
        }
        let body = Array(gone.utf8)
        let deletion = WebhookRequest(
            method: "POST",
            headers: [
                ("X-GitHub-Event", "push"),
                (
                    "X-Hub-Signature-256",
                    "sha256=" + Encoding.hexadecimal(HMAC.sha256(body, key: Array(Self.secret.utf8)))
                ),
            ], body: body)
        #expect(await world.loop.webhook("git", deletion).status == 202)
        try await world.idle()
        #expect([world.host("shop").fetches, world.host("blog").fetches] == [1, 1])
        #expect(world.registry.expired == [])
        #expect(Self.requests(world, "git", "ignored") == "5.0")
    }

    @Test func `a receiver starts no others than those that are bound to it`() async throws {
        let directory = try TemporaryDirectory("webhooks")
        let world = try await Self.world(directory)
        // One that names nothing starts all of them.
        _ = await world.loop.webhook("blog-only", Self.token("{}"))
        _ = await world.loop.webhook("blog-only", Self.token(#"{"repository":"\#(FakeHosts.url("shop"))"}"#))
        try await world.idle()
        #expect([world.host("shop").fetches, world.host("blog").fetches] == [1, 2])
    }

    // MARK: Many

    @Test func `ten thousand events during a cycle are one cycle more`() async throws {
        let directory = try TemporaryDirectory("webhooks")
        let world = try await Self.world(directory)
        let gate = Gate()
        world.registry.beforeScan { _ = await gate.pass() }
        _ = await world.loop.webhook("git", Self.push("shop", delivery: "first"))
        try await world.until("the cycle is under way") { await gate.entered == 1 }
        for number in 1...10_000 {
            let answer = await world.loop.webhook("git", Self.push("shop", delivery: "\(number)"))
            guard answer.status != 202 else { continue }
            Issue.record("\(answer)")
            return
        }
        await gate.open()
        try await world.idle()
        #expect(world.host("shop").fetches == 2)
        world.clock.advance(by: 1)
        try await world.until("the second cycle has begun") { world.host("shop").fetches == 3 }
        try await world.idle()
        for _ in 1...3 {
            world.clock.advance(by: 1)
            try await world.idle()
        }
        #expect(world.host("shop").fetches == 3)
        #expect(world.health.metrics.text.contains("slipway_webhook_cycles_total 2.0\n"))
        #expect(Self.requests(world, "git", "accepted") == "10001.0")
    }

    @Test func `a delivery that is sent again is not obeyed again`() async throws {
        let directory = try TemporaryDirectory("webhooks")
        let world = try await Self.world(directory)
        let request = Self.push("shop", delivery: "one")
        #expect(await world.loop.webhook("git", request).status == 202)
        #expect(await world.loop.webhook("git", request).status == 200)
        #expect(Self.requests(world, "git", "repeated") == "1.0")
        // Another receiver's of the same name is another one, and so is one after some time.
        world.clock.advance(by: 601)
        #expect(await world.loop.webhook("git", request).status == 202)
    }

    @Test func `what comes too fast is turned away before it is verified`() async throws {
        let directory = try TemporaryDirectory("webhooks")
        let world = try await Self.world(directory)
        let large = WebhookRequest(method: "POST", headers: [], body: [UInt8](repeating: 0, count: 16 << 20))
        var statuses: [Int] = []
        for _ in 1...12 { statuses.append(await world.loop.webhook("git", large).status) }
        #expect(statuses == Array(repeating: 401, count: 11) + [429])
        #expect(await world.loop.webhook("git", large).retryAfter == 2)
        // The others have their own, and time brings it back.
        #expect(await world.loop.webhook("hub", large).status == 401)
        world.clock.advance(by: 5)
        #expect(await world.loop.webhook("git", Self.push("shop")).status == 202)
        #expect(Self.requests(world, "git", "limited") == "2.0")
        // Strangers do not fill the log.
        #expect(world.log.lines.filter { $0.contains("webhook") }.count == 2, "\(world.log.lines)")
    }

    // MARK: Refusals, reload, the end

    @Test func `wrong secrets and unknown receivers`() async throws {
        let directory = try TemporaryDirectory("webhooks")
        let world = try await Self.world(directory)
        #expect(await world.loop.webhook("git", Self.push("shop", secret: "wrong")).status == 401)
        #expect(await world.loop.webhook("nobody", Self.push("shop")) == .notFound)
        #expect(await world.loop.webhook("hub", Self.push("shop")).status == 401)
        #expect(
            await world.loop.webhook("git", WebhookRequest(method: "GET", headers: [], body: [])).allow == "POST")
        try await world.idle()
        #expect(world.host("shop").fetches == 1)
        #expect(Self.requests(world, "git", "refused") == "2.0")
        #expect(!world.health.metrics.text.contains("nobody"))
        #expect(!world.log.lines.joined().contains(Self.secret))
    }

    @Test func `a reload takes other secrets, and keeps the old ones when they are bad`() async throws {
        let directory = try TemporaryDirectory("webhooks")
        let world = try await Self.world(directory)
        var configuration = DaemonWorld.configuration(["shop", "blog"])
        configuration.webhooks = try Self.configuration(directory)
        try Self.write("another secret", to: directory.file("git.secret"))
        _ = try await world.loop.reload(configuration) { _ in }
        try await world.idle()
        #expect(await world.loop.webhook("git", Self.push("shop")).status == 401)
        #expect(await world.loop.webhook("git", Self.push("shop", secret: "another secret")).status == 202)
        try Self.write("", to: directory.file("git.secret"))
        await #expect(throws: AgentError.self) { _ = try await world.loop.reload(configuration) { _ in } }
        #expect(await world.loop.webhook("git", Self.push("shop", secret: "another secret")).status == 202)
        configuration.webhooks = nil
        _ = try await world.loop.reload(configuration) { _ in }
        #expect(await world.loop.webhook("git", Self.push("shop", secret: "another secret")) == .notFound)
    }

    @Test func `an agent that stops asks senders to come again`() async throws {
        let directory = try TemporaryDirectory("webhooks")
        let world = try await Self.world(directory)
        await world.loop.stop()
        let answer = await world.loop.webhook("git", Self.push("shop"))
        #expect(answer.status == 503)
        #expect(answer.retryAfter == 30)
        #expect(Self.requests(world, "git", "unavailable") == "1.0")
    }
}
