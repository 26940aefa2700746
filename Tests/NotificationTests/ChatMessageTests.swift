import Foundation
import TestSupport
import Testing

@testable import Notifications

/// Chat messages have the shapes and stay within the limits that their hosts publish, whatever is in them.
@Suite(.tags(.unit)) struct ChatMessageTests {
    static let batches: [[Notice]] = [
        [Samples.notice()], [Samples.notice(.test, text: "", hint: nil, facts: [], link: nil)], [Samples.hostileNotice],
        [Samples.longest], Array(repeating: Samples.longest, count: 10),
        Array(repeating: Samples.hostileNotice, count: 10),
    ]

    @Test(arguments: batches) func `Slack takes every message`(_ notices: [Notice]) throws {
        let sent = try Sent(SlackMessage(notices: notices).payload().bytes)
        #expect(FakeHost.slack.problem(with: sent) == nil)
        // The title of each is there.
        let text = sent["blocks"].texts.joined(separator: "\n")
        for notice in notices {
            #expect(text.contains(SlackText.escaped(String(notice.title.prefix(40)), limit: 1_000)))
        }
    }

    @Test func `no foreign text is markup for Slack`() throws {
        let sent = try Sent(SlackMessage(notices: [Samples.hostileNotice]).payload(channel: "#ops").bytes)
        for text in sent["blocks"].texts + [sent["text"].text ?? ""] {
            // The only one is the link to the page.
            let rest = text.replacingOccurrences(
                of: "<https://slipway.example.com/builds/b1|Open in Slipway>", with: "")
            #expect(!rest.contains("<") && !rest.contains(">"), "\(rest)")
        }
        #expect(sent["blocks"].texts.contains { $0.contains("&lt;!everyone&gt;") && $0.contains(" &amp; ") })
        // "@channel" is not made a mention by the host.
        let parts = sent["blocks"].list.flatMap { [$0["text"]] + $0["fields"].list }.filter { $0.value != nil }
        #expect(parts.allSatisfy { $0["verbatim"].bool == true })
        #expect(sent["link_names"].bool == false)
        #expect(sent["parse"].text == "none")
    }

    @Test(arguments: [
        ("a&b", 100, "a&amp;b"), ("<<<<", 9, "&lt;&lt;…"), ("abcdef", 4, "abc…"), ("&&", 6, "&amp;…"), ("", 5, ""),
        ("🚢🚢🚢", 3, "🚢🚢…"),
    ])
    func `a cut never falls into an escape`(_ text: String, _ limit: Int, _ escaped: String) {
        #expect(SlackText.escaped(text, limit: limit) == escaped)
    }

    @Test(arguments: batches) func `Teams takes every card`(_ notices: [Notice]) throws {
        let bytes = TeamsMessage(notices: notices).bytes
        #expect(bytes.count <= 28 << 10)
        let sent = try Sent(bytes)
        #expect(FakeHost.teams.problem(with: sent) == nil)
        // Foreign text stands in runs, which have no markup: there are no elements that have.
        func types(_ sent: Sent) -> [String] {
            [sent["type"].text].compactMap(\.self)
                + (sent["items"].list + sent["body"].list + sent["inlines"].list).flatMap(types)
        }
        let card = try #require(sent["attachments"].list.first?["content"])
        #expect(Set(types(card)).isSubset(of: ["AdaptiveCard", "Container", "RichTextBlock", "TextRun"]))
    }

    @Test func `what was dropped is said in the next message`() throws {
        var notice = Samples.notice()
        notice.dropped = 12
        for texts in [
            try Sent(SlackMessage(notices: [notice]).payload().bytes).texts,
            try Sent(TeamsMessage(notices: [notice]).bytes).texts, [notice.summary],
        ] {
            #expect(texts.contains { $0.contains("12 earlier notifications were dropped") })
        }
    }
}

@Suite(.tags(.unit)) struct NoticeTests {
    @Test func `texts are bounded, and steer neither terminals nor directions`() {
        for notice in [Samples.longest, Samples.hostileNotice] {
            #expect(notice.title.unicodeScalars.count <= 301)
            #expect(notice.text.unicodeScalars.count <= Notice.textLimit + 1)
            #expect(notice.text.split(separator: "\n", omittingEmptySubsequences: false).count <= 40)
            #expect(notice.facts.count <= 10)
            for scalar in notice.summary.unicodeScalars where scalar != "\n" {
                #expect(scalar.value >= 0x20 && scalar != "\u{202E}" && scalar.value != 0x7f)
            }
            #expect(!notice.title.contains("\n") && !notice.title.contains("\r"))
        }
    }

    @Test func `the key of an incident is short, and the same for the same`() {
        let long = String(repeating: "a/", count: 300)
        let keys = ["shop/build/web", long, long + "x", "shop/hold/grüße", "shop/hold/a b"].map {
            Samples.notice(incident: $0).incident ?? ""
        }
        #expect(Set(keys).count == keys.count)
        #expect(keys.allSatisfy { $0.utf8.count <= 200 && $0.utf8.allSatisfy { (0x21...0x7e).contains($0) } })
        #expect(Samples.notice(incident: long).incident == keys[1])
        #expect(keys[0] == "shop/build/web")
    }

    @Test func `each notice has an id of its own, which it keeps`() throws {
        let (one, other) = (Samples.notice(), Samples.notice())
        #expect(one.id != other.id)
        let kept = try JSONDecoder().decode(Notice.self, from: JSONEncoder().encode(one))
        #expect(kept == one)
    }

    @Test func `an end goes where its beginning was told`() {
        for kind in NoticeKind.allCases {
            guard let beginning = kind.beginning else { continue }
            #expect(kind.matches.contains(beginning))
            #expect(kind.ruleSeverity == beginning.severity)
            #expect(kind.severity == .info)
        }
        #expect(NoticeKind.buildRecovered.matches.isSuperset(of: [.buildFailed, .buildSucceeded, .imagePushed]))
        #expect(NoticeKind.buildSucceeded.matches == [.buildSucceeded, .imagePushed])
        #expect(NoticeKind.imagePushed.matches == [.imagePushed])
    }
}
