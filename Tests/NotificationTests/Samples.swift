import Foundation
import Notifications
import TestSupport
import Testing

/// Notices of tests.
enum Samples {
    /// What people and programs would rather not have in a message: markup, mentions, line ends, marks of direction.
    static let hostile =
        "<!everyone> <!channel> <@U123> @channel @everyone <https://evil.example|click> & *bold* `code` [x](http://evil.example)"
        + " {{DATE(2026-01-01)}} <script>alert(1)</script> <at>all</at> \"quoted\" \\ \u{202E}live"
    static let headerInjection = "fix\r\nBcc: victim@example.com\r\n\r\nbody"

    static func notice(
        _ kind: NoticeKind = .buildFailed, title: String = "shop: the build of web failed",
        text: String = "exit code 7", hint: String? = "push a fix",
        facts: [Notice.Fact] = [Notice.Fact("Commit", "0123456789ab")],
        link: String? = "https://slipway.example.com/builds/b1", incident: String? = "shop/build/web"
    ) -> Notice {
        Notice(
            kind, of: "shop", subject: "web", title: title, text: text, hint: hint, facts: facts, link: link,
            incident: incident, at: 1_790_000_000)
    }

    static var hostileNotice: Notice {
        notice(
            title: "shop: " + hostile + headerInjection, text: "\(hostile)\r\n.\r\nQUIT\n\(headerInjection)",
            hint: hostile,
            facts: [Notice.Fact(hostile, hostile)])
    }

    /// As much as a notice can hold, in characters of four bytes.
    static var longest: Notice {
        notice(
            title: "shop: " + String(repeating: "🚢", count: 1_000), text: String(repeating: "<&>🚢\n", count: 10_000),
            hint: String(repeating: "&", count: 10_000),
            facts: (0..<20).map { Notice.Fact("Fact \($0)", String(repeating: "🚢", count: 1_000)) })
    }
}

/// Any JSON value that was sent, looked at by keys.
struct Sent {
    let value: Any?

    init(_ value: Any?) { self.value = value }

    init(_ bytes: [UInt8]) throws {
        value = try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
    }

    subscript(_ key: String) -> Sent { Sent((value as? [String: Any])?[key]) }

    var text: String? { value as? String }
    var bool: Bool? { value as? Bool }
    var list: [Sent] { (value as? [Any] ?? []).map(Sent.init) }
    var keys: Set<String> { Set((value as? [String: Any] ?? [:]).keys) }

    /// All texts in it, wherever they are.
    var texts: [String] {
        switch value {
        case let text as String: [text]
        case let list as [Any]: list.flatMap { Sent($0).texts }
        case let object as [String: Any]: object.values.flatMap { Sent($0).texts }
        default: []
        }
    }
}
