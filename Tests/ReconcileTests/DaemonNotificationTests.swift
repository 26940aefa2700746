import Agent
import AgentFakes
import Builder
import Git
import Notifications
import Synchronization
import TestSupport
import Testing

/// A channel of a test: what it is told, it keeps; it fails, or does not answer, where the test says so.
final class FakeChannel: NotificationChannel {
    private struct State {
        var told: [Notice] = []
        var calls = 0
        var failures: [DeliveryError] = []
        var gate: Gate?
    }

    let name: String
    let type = NotificationChannelType.webhook
    let batchLimit: Int
    let files: [ChannelFile] = []
    private let state = Mutex(State())

    init(_ name: String = "ops", batchLimit: Int = 1) {
        self.name = name
        self.batchLimit = batchLimit
    }

    var told: [Notice] { state.withLock(\.told) }
    var calls: Int { state.withLock(\.calls) }
    /// Each by its kind and what it is about.
    var words: [String] {
        told.map { [$0.kind.rawValue, $0.repository, $0.subject].compactMap(\.self).joined(separator: " ") }
    }

    func fail(_ failures: [DeliveryError]) { state.withLock { $0.failures = failures } }

    /// Answers only when the gate lets it.
    func wait(at gate: Gate?) { state.withLock { $0.gate = gate } }

    func deliver(_ notices: [Notice]) async throws(DeliveryError) -> DeliveryReceipt {
        let gate = state.withLock { state in
            state.calls += 1
            return state.gate
        }
        if let gate, await !gate.pass() { throw DeliveryError("cut off", retry: .later(after: nil)) }
        let failure = state.withLock { state -> DeliveryError? in
            if !state.failures.isEmpty { return state.failures.removeFirst() }
            state.told += notices
            return nil
        }
        if let failure { throw failure }
        return DeliveryReceipt(host: "fake", status: 200, answer: "")
    }
}

/// People are told of a failure once and of its end once, whatever comes between, and nothing waits for that.
@Suite(.tags(.unit)) struct DaemonNotificationTests {
    private static let away = DeliveryError("the host is away", retry: .later(after: nil))

    private static func settings(
        _ channels: [FakeChannel], _ change: (inout NotificationSettings) -> Void = { _ in }
    ) -> NotificationSettings {
        var settings = NotificationSettings()
        settings.channels = channels
        settings.pages = "https://slipway.example.com"
        settings.rules = [NotificationSettings.Rule(channels: channels.map(\.name))]
        change(&settings)
        return settings
    }

    private static func world(
        _ settings: NotificationSettings, over last: DaemonWorld? = nil
    ) async throws -> DaemonWorld {
        let world = try await DaemonWorld("shop", over: last, notifications: settings)
        world.host("shop").commit([
            ".slipway.yaml": World.builds(("web", "v{build.number}")), "web/Dockerfile": "FROM scratch",
            "web.yaml": World.deployment("web", image: "registry.example.com/acme/web:v0", policy: "glob:v*"),
        ])
        return world
    }

    private static func failWeb(_ world: DaemonWorld) {
        let step = BuildError(.step, "the step failed with exit code 7", place: "web/Dockerfile:2")
        world.builder.onBuild(of: "web") { (_) throws(BuildError) in throw step }
    }

    private static func until(_ channel: FakeChannel, tells word: String, _ world: DaemonWorld) async throws {
        try await world.until("'\(word)' is told") { channel.words.contains { $0.hasPrefix(word) } }
    }

    /// Ends a world's agent, whose channel does not answer.
    private static func stop(_ world: DaemonWorld) async throws {
        let isOver = Mutex(false)
        Task {
            await world.loop.stop()
            isOver.withLock { $0 = true }
        }
        try await world.until("the agent has stopped") {
            world.clock.advance(by: 1)
            return isOver.withLock { $0 }
        }
    }

    @Test func `a commit is told from its build to the bump`() async throws {
        let channel = FakeChannel()
        let world = try await Self.world(Self.settings([channel]))
        try await world.begin()
        try await Self.until(channel, tells: "update-committed", world)
        try await world.idle()
        await world.loop.stop()
        #expect(channel.words == ["build-succeeded shop web", "update-committed shop"])
        let (built, bump) = (channel.told[0], channel.told[1])
        #expect(built.text == "registry.example.com/acme/web:v1")
        #expect(built.link?.hasPrefix("https://slipway.example.com/builds/") == true)
        #expect(bump.text.contains("registry.example.com/acme/web:v0 -> registry.example.com/acme/web:v1"))
        #expect(bump.link == "https://slipway.example.com/repositories/shop")
        #expect(bump.facts.contains(Notice.Fact("Branch", "main")))
    }

    @Test func `a failed build is told once, and its end once, over restarts too`() async throws {
        let first = FakeChannel()
        var world = try await Self.world(Self.settings([first]))
        Self.failWeb(world)
        try await world.begin()
        try await Self.until(first, tells: "build-failed", world)
        try await world.nextLook()
        try await world.nextLook()
        await world.loop.stop()
        #expect(first.words == ["build-failed shop web"])
        #expect(first.told[0].text.contains("exit code 7"))
        #expect(first.told[0].severity == .error)

        // The next process meets the same failure, and says nothing.
        let second = FakeChannel()
        let files = world.host("shop")
        world = try await DaemonWorld("shop", over: world, notifications: Self.settings([second]))
        world.host("shop").commit([
            ".slipway.yaml": World.builds(("web", "v{build.number}")), "web/Dockerfile": "FROM scratch",
            "web.yaml": files.text("web.yaml") ?? "",
        ])
        Self.failWeb(world)
        try await world.begin()
        try await world.nextLook()
        #expect(second.words == [])

        // Then a person mends it.
        world.builder.onBuild(of: "web", nil)
        world.host("shop").commit(["web/Dockerfile": "FROM scratch\nLABEL a=b"])
        try await world.nextLook()
        try await Self.until(second, tells: "update-committed", world)
        await world.loop.stop()
        #expect(second.words == ["build-recovered shop web", "update-committed shop"])
        #expect(second.told[0].incident == first.told[0].incident)
        #expect(second.told[0].id != first.told[0].id)
        #expect(second.told[0].facts.contains { $0.name == "Failed for" })
    }

    @Test func `a repository that is away is told once, and that it is back once`() async throws {
        let channel = FakeChannel()
        let world = try await Self.world(Self.settings([channel]))
        try await world.begin()
        try await Self.until(channel, tells: "update-committed", world)
        try await world.idle()
        let known = channel.words.count
        world.host("shop").fail("fetch", with: GitError(.network, "cannot reach the git repository at 12:00:01"))
        try await world.trigger("shop")
        world.host("shop").fail("fetch", with: GitError(.network, "cannot reach the git repository at 12:00:02"))
        try await world.trigger("shop")
        try await world.trigger("shop")
        try await Self.until(channel, tells: "repository-recovered", world)
        await world.loop.stop()
        #expect(Array(channel.words.dropFirst(known)) == ["repository-failing shop", "repository-recovered shop"])
        #expect(channel.told[known].text.contains("12:00:01"))
        #expect(channel.told[known].incident == channel.told[known + 1].incident)
    }

    @Test func `what passes soon is not told where the configuration says so`() async throws {
        let channel = FakeChannel()
        let world = try await Self.world(Self.settings([channel]) { $0.failingFor = .seconds(300) })
        try await world.begin()
        try await Self.until(channel, tells: "update-committed", world)
        try await world.idle()
        let known = channel.words.count
        for isLong in [false, true] {
            world.host("shop").fail("fetch", with: GitError(.network, "cannot reach the git repository"))
            try await world.trigger("shop")
            if isLong {
                world.clock.advance(by: 301)
                world.host("shop").fail("fetch", with: GitError(.network, "cannot reach the git repository"))
                try await world.trigger("shop")
            }
            try await world.trigger("shop")
        }
        try await Self.until(channel, tells: "repository-recovered", world)
        await world.loop.stop()
        #expect(Array(channel.words.dropFirst(known)) == ["repository-failing shop", "repository-recovered shop"])
    }

    @Test func `a channel that does not answer holds up nothing, and gets what it missed`() async throws {
        let (stuck, other) = (FakeChannel("stuck"), FakeChannel("other"))
        let gate = Gate()
        stuck.wait(at: gate)
        let world = try await Self.world(Self.settings([stuck, other]))
        try await world.begin()
        try await Self.until(other, tells: "update-committed", world)
        for version in 2...4 {
            world.host("shop").commit(["web/Dockerfile": "FROM scratch\nLABEL n=\(version)"])
            try await world.nextLook()
            try await world.until("it is rolled out") {
                world.host("shop").text("web.yaml")?.contains("web:v\(version)") == true
            }
        }
        try await world.until("the other channel has all") { other.words.count == 8 }
        #expect(stuck.words == [])
        #expect(stuck.calls == 1)
        await gate.open()
        try await world.until("all is told") { stuck.words.count == 8 }
        #expect(stuck.words == other.words)
        await world.loop.stop()
    }

    @Test func `what a host does not take is sent again, and what it refuses is not`() async throws {
        let channel = FakeChannel()
        channel.fail([
            Self.away, DeliveryError("slow down", status: 429, retry: .later(after: 120)),
            DeliveryError("the host answered 400", place: "hooks.example.com", status: 400),
        ])
        let world = try await Self.world(Self.settings([channel]))
        await world.loop.begin()
        try await world.until("the first attempt failed") { channel.calls == 1 }
        try await world.until("the bump is there") { world.host("shop").text("web.yaml")?.contains("web:v1") == true }
        try await world.until("it waits") { world.clock.wakeTimes.contains { $0 <= world.clock.now + 5 } }
        world.clock.advance(by: 5)
        try await world.until("the second attempt failed") { channel.calls == 2 }
        let due = world.clock.now + 120
        try await world.until("it waits as long as the host says") { world.clock.wakeTimes.contains(due) }
        world.clock.advance(by: 60)
        try await world.idle()
        #expect(channel.calls == 2)
        world.clock.advance(by: 60)
        // The third is final, and the next notice goes on.
        try await Self.until(channel, tells: "update-committed", world)
        #expect(channel.words == ["update-committed shop"])
        try await world.until("the outcomes are counted") {
            world.health.metrics.text.contains(#"slipway_notifications_total{channel="ops",outcome="delivered"} 1"#)
        }
        let text = world.health.metrics.text
        #expect(text.contains(#"slipway_notifications_total{channel="ops",outcome="retried"} 2"#))
        #expect(text.contains(#"slipway_notifications_total{channel="ops",outcome="failed"} 1"#))
        #expect(
            world.log.lines.contains { $0.hasPrefix("error notification not delivered") && $0.contains("answered 400") }
        )
        await world.loop.stop()
    }

    @Test func `what was not delivered is sent by the next process, with the same id`() async throws {
        let first = FakeChannel()
        let gate = Gate()
        first.wait(at: gate)
        let world = try await Self.world(Self.settings([first]))
        Self.failWeb(world)
        try await world.begin()
        try await world.until("it is under way") { first.calls == 1 }
        // The process waits a moment for it, and gives it up.
        try await Self.stop(world)
        #expect(first.told.isEmpty)

        let second = FakeChannel()
        let next = try await DaemonWorld("shop", over: world, notifications: Self.settings([second]))
        next.host("shop").commit([
            ".slipway.yaml": World.builds(("web", "v{build.number}")), "web/Dockerfile": "FROM scratch",
        ])
        Self.failWeb(next)
        try await next.begin()
        try await Self.until(second, tells: "build-failed", next)
        try await next.nextLook()
        await next.loop.stop()
        #expect(second.words == ["build-failed shop web"])
    }

    @Test func `too many are dropped, the oldest first, and the next message says so`() async throws {
        let channel = FakeChannel()
        let gate = Gate()
        channel.wait(at: gate)
        let world = try await Self.world(Self.settings([channel]))
        try await world.begin()
        try await world.until("the first is under way") { channel.calls == 1 }
        try await world.idle()
        for _ in 0..<150 {
            _ = try await world.loop.pause("shop", PauseRequest())
            _ = try await world.loop.resume("shop")
        }
        // 302 in all; one is under way, and 200 wait.
        try await world.until("the oldest are dropped") {
            world.health.metrics.text.contains(#"slipway_notifications_total{channel="ops",outcome="dropped"} 101"#)
        }
        await gate.open()
        try await world.until("the rest is told") { channel.told.count == 201 }
        try await world.idle()
        await world.loop.stop()
        #expect(channel.told.compactMap(\.dropped) == [101])
        #expect(world.log.lines.contains { $0.hasPrefix("warning notifications dropped") })
    }

    @Test func `what waits is told together where the channel can`() async throws {
        let channel = FakeChannel(batchLimit: 10)
        let gate = Gate()
        channel.wait(at: gate)
        let world = try await Self.world(Self.settings([channel]))
        try await world.begin()
        try await world.until("the first is under way") { channel.calls == 1 }
        try await world.idle()
        for _ in 0..<5 {
            _ = try await world.loop.pause("shop", PauseRequest())
            _ = try await world.loop.resume("shop")
        }
        try await Self.stop(world)
        let second = FakeChannel(batchLimit: 100)
        let next = try await DaemonWorld(over: world, notifications: Self.settings([second]))
        await next.loop.begin()
        try await next.until("all is told at once") { second.told.count >= 10 }
        #expect(second.calls == 1)
        await next.loop.stop()
    }

    @Test func `a pause is told with who and why, and its end`() async throws {
        let channel = FakeChannel()
        let world = try await Self.world(Self.settings([channel]))
        try await world.begin()
        try await Self.until(channel, tells: "update-committed", world)
        try await world.idle()
        _ = try await world.loop.pause("shop", PauseRequest(user: "ann", message: "freeze\nuntil Monday"))
        _ = try await world.loop.resume("shop")
        _ = try await world.loop.resume("shop")
        try await Self.until(channel, tells: "repository-resumed", world)
        try await world.idle()
        await world.loop.stop()
        #expect(channel.words.suffix(2) == ["repository-paused shop", "repository-resumed shop"])
        let pause = try #require(channel.told.first { $0.kind == .repositoryPaused })
        #expect(pause.title == "shop: paused by ann")
        #expect(pause.text == "freeze\nuntil Monday")
    }

    @Test func `a reload goes on with what was told`() async throws {
        let channel = FakeChannel()
        let world = try await Self.world(Self.settings([channel]))
        Self.failWeb(world)
        try await world.begin()
        try await Self.until(channel, tells: "build-failed", world)
        let other = FakeChannel("other")
        var configuration = DaemonWorld.configuration(["shop"])
        configuration.notifications = Self.settings([other])
        _ = try await world.loop.reload(configuration) { _ in }
        try await world.idle()
        try await world.nextLook()
        world.builder.onBuild(of: "web", nil)
        _ = try await world.loop.retry(RetryRequest(repository: "shop"))
        try await Self.until(other, tells: "build-recovered", world)
        await world.loop.stop()
        #expect(channel.words == ["build-failed shop web"])
        #expect(other.words.first == "build-recovered shop web")
    }

    @Test func `nobody is told where nothing is configured, and nothing is written`() async throws {
        let world = try await DaemonWorld("shop")
        world.host("shop").commit([
            ".slipway.yaml": World.builds(("web", "v{build.number}")), "web/Dockerfile": "FROM scratch",
        ])
        Self.failWeb(world)
        try await world.begin()
        try await world.nextLook()
        await world.loop.stop()
        #expect(!world.hasFile("notifications.json"))
        #expect(!world.health.metrics.text.contains("slipway_notifications_total{"))
    }
}

/// Who is told of what.
@Suite(.tags(.unit)) struct NotificationRuleTests {
    private static func notice(_ kind: NoticeKind, _ repository: String = "shop") -> Notice {
        Notice(kind, of: repository, title: "x", at: 0)
    }

    @Test(
        arguments: [
            // No rule: what is wrong, and its end.
            ([], NoticeKind.buildFailed, "shop", ["a", "b"]), ([], .buildRecovered, "shop", ["a", "b"]),
            ([], .updateHeld, "shop", ["a", "b"]),
            ([], .buildSucceeded, "shop", []), ([], .updateCommitted, "shop", []),
            (["channels: [a]", "channels: [b], severity: error"], .updateCommitted, "shop", ["a"]),
            (
                ["channels: [a], severity: error", "channels: [b], events: [update-committed]"], .updateCommitted,
                "shop", ["b"]
            ),
            (
                ["channels: [a], severity: error", "channels: [b], events: [update-committed]"], .buildFailed, "shop",
                ["a"]
            ),
            (["channels: [a], severity: error", "channels: [b]"], .repositoryRecovered, "shop", ["a", "b"]),
            (["channels: [a], severity: error", "channels: [b]"], .updateReleased, "shop", ["b"]),
            (
                ["channels: [a], events: [build-failed]", "channels: [b], events: [build-succeeded]"], .buildRecovered,
                "shop", ["a", "b"]
            ),
            (
                ["channels: [a], events: [build-recovered]", "channels: [b], events: [image-pushed]"], .buildSucceeded,
                "shop", ["b"]
            ),
            (
                ["channels: [a], repositories: [shop]", "channels: [b], repositories: ['team-*', 'sho?']"],
                .buildFailed, "shop", ["a", "b"]
            ),
            (
                ["channels: [a], repositories: [shop]", "channels: [b], repositories: ['team-*']"], .buildFailed,
                "team-x", ["b"]
            ),
            // Several rules, one message.
            (["channels: [a]", "channels: [a, b]"], .buildFailed, "shop", ["a", "b"]),
        ] as [([String], NoticeKind, String, [String])])
    func `rules say who is told`(
        _ rules: [String], _ kind: NoticeKind, _ repository: String, _ channels: [String]
    ) throws {
        let list = rules.map { "    - {\($0)}\n" }.joined()
        let text = """
            repositories: [{url: /srv/shop.git}]
            notifications:
              channels:
                - {name: a, type: teams, urlFile: /a}
                - {name: b, type: slack, urlFile: /b}

            """ + (rules.isEmpty ? "" : "  rules:\n\(list)")
        let settings = try #require(try ConfigurationFile.parse(Array(text.utf8), file: "a.yaml").notifications)
        #expect(settings.channels(for: Self.notice(kind, repository)) == channels)
    }
}
