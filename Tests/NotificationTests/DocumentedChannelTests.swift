import Agent
import Foundation
import Template
import TestSupport
import Testing

@testable import Notifications

/// The examples of docs/notifications.md can be read, and the hosts that they are for take what they send.
@Suite(.tags(.integration)) struct DocumentedChannelTests {
    private static let document: String = {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path
        return (try? String(contentsOfFile: root + "/docs/notifications.md", encoding: .utf8)) ?? ""
    }()

    /// The YAML of a section.
    private static func example(_ section: String) throws -> String {
        let start = try #require(document.range(of: "# \(section)\n")?.upperBound, "no section '\(section)'")
        let rest = document[start...]
        let open = try #require(rest.range(of: "```yaml\n")?.upperBound)
        let close = try #require(rest[open...].range(of: "```")?.lowerBound)
        return String(rest[open..<close])
    }

    private static func settings(_ yaml: String) throws -> NotificationSettings {
        try #require(try ConfigurationFile.parse(Array(yaml.utf8), file: "example.yaml").notifications)
    }

    private static let head = "repositories: [{url: /srv/shop.git}]\nnotifications:\n  channels:\n"

    @Test(arguments: [
        ("Discord", FakeHost.discord), ("Matrix", .matrix), ("Google Chat", .googleChat), ("PagerDuty", .pagerDuty),
    ])
    func `a host takes what the example sends`(_ section: String, _ host: FakeHost) async throws {
        let server = try host.server()
        let scratch = try TemporaryDirectory("documented")
        var text = try Self.example(section).replacingOccurrences(of: "/etc/slipway/notify", with: scratch.path)
        for place in ["https://matrix.example.com", "https://events.pagerduty.com"] {
            text = text.replacingOccurrences(of: place, with: server.url)
        }
        text += "      insecure: true\n"
        for (name, secret) in [
            ("discord-url", server.url + "/api/webhooks/1/t0ken"),
            ("google-chat-url", server.url + "/v1/spaces/S/messages?key=K&token=T"),
            ("matrix-token", "syt_t0ken"), ("pagerduty-key", String(repeating: "a1", count: 16)),
        ] {
            try secret.write(toFile: scratch.file(name), atomically: true, encoding: .utf8)
        }
        let channel = try #require(try Self.settings(Self.head + text).channels.first)
        var notices = [Samples.notice(), Samples.hostileNotice, Samples.longest, Samples.notice(.buildRecovered)]
        if host != .pagerDuty {
            notices.append(Samples.notice(.updateCommitted, text: "", hint: nil, link: nil, incident: nil))
        }
        for notice in notices { _ = try await channel.deliver([notice]) }
        let bodies = try server.requests.map { try Sent($0.body) }
        #expect(bodies.count == notices.count)
        #expect(bodies.allSatisfy { $0.texts.contains { $0.contains("shop") } })
        // Mentions and links of foreign texts are none for the host.
        switch host {
        case .discord:
            let content = try #require(bodies[1]["content"].text)
            #expect(content.contains("\\@everyone") && !content.contains("](http://evil"))
        case .matrix:
            let html = try #require(bodies[1]["formatted_body"].text)
            #expect(html.contains("&lt;script&gt;") && !html.contains("<script"))
            #expect(Set(server.requests.map(\.target)).count == notices.count)
        case .googleChat:
            #expect(bodies[1].texts.contains { $0.contains("&lt;script&gt;") })
            #expect(!bodies[1].texts.contains { $0.contains("<script") && $0.contains("<br>") })
        case .pagerDuty:
            #expect(bodies.map { $0["event_action"].text } == ["trigger", "trigger", "trigger", "resolve"])
            #expect(Set(bodies.map { $0["dedup_key"].text }) == ["shop/build/web"])
        default: break
        }
    }

    @Test(arguments: ["Slack", "Microsoft Teams", "E-mail", "Webhooks"])
    func `the example of a channel can be read`(_ section: String) throws {
        #expect(try Self.settings(Self.head + Self.example(section)).channels.count == 1)
    }

    @Test func `the first example can be read, and so can a bot's`() throws {
        let settings = try Self.settings("repositories: [{url: /srv/shop.git}]\n" + Self.example("Notifications"))
        #expect(settings.channels.map(\.name) == ["ops", "releases"])
        #expect(settings.rules.count == 2)
        #expect(settings.failingFor == .seconds(120))
        let bot = try #require(Self.document.range(of: "    - name: deploys\n"))
        let text = Self.document[bot.lowerBound...].components(separatedBy: "```")[0]
        #expect(try Self.settings(Self.head + text).channels.first?.files.map(\.key) == ["tokenFile"])
    }

    @Test func `every event is in the table`() {
        for event in NoticeKind.events { #expect(Self.document.contains("`\(event.rawValue)`"), "\(event)") }
    }

    @Test func `every value that templates have is in the table`() {
        guard case .object(let object) = TemplateFields.values(Samples.notice(), secrets: [:]) else { return }
        for field in object.fields { #expect(Self.document.contains("`.\(field.name)`"), "\(field.name)") }
    }
}
