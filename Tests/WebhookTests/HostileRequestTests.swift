import Cryptography
import Foundation
import JSON
import TestSupport
import Testing

@testable import Webhooks

/// Requests that are broken, by accident or on purpose: each is answered, and nothing else happens.
@Suite(.tags(.unit)) struct HostileRequestTests {
    private static let allowed: Set<Int> = [200, 202, 400, 401, 404, 405, 415]

    @Test(arguments: RecordedRequest.all) func `bodies that end early, and bodies with other bytes in them`(
        _ recorded: RecordedRequest
    ) throws {
        let receiver = try recorded.webhook(isInsecure: true)
        let body = [UInt8](recorded.body)
        for end in 0..<body.count {
            let outcome = receiver.receive(recorded.request(Array(body[..<end])), now: recorded.now)
            if !Self.allowed.contains(outcome.status) { Issue.record("\(outcome.status) at \(end)") }
        }
        var random = SplitMix(state: UInt64(body.count) + 7)
        for _ in 0..<300 where !body.isEmpty {
            var changed = body
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<changed.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: changed[place] = UInt8.random(in: 0...255, using: &random)
                case 1: changed.insert(Array("{}[],:\"\\u0".utf8).randomElement(using: &random) ?? 0, at: place)
                default: if changed.count > 1 { changed.remove(at: place) }
                }
            }
            let outcome = receiver.receive(recorded.request(changed), now: recorded.now)
            if !Self.allowed.contains(outcome.status) { Issue.record("\(outcome.status) for \(changed)") }
            // No change of an authentic body is authentic.
            guard changed != body, recorded.secret != nil, recorded.expect.statuses == 202...202,
                ["github", "bitbucket-server", "gitlab-signed"].contains(recorded.receiver)
            else { continue }
            let real = try recorded.webhook().receive(recorded.request(changed), now: recorded.now)
            if real.status != 401 { Issue.record("\(real.status) for \(changed)") }
        }
    }

    @Test(arguments: RecordedRequest.all) func `what another reader of JSON takes, too, is read the same`(
        _ recorded: RecordedRequest
    ) throws {
        var random = SplitMix(state: UInt64(recorded.body.count) + 11)
        for round in 0..<200 {
            var bytes = [UInt8](recorded.body)
            if round > 0, !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                bytes[place] = Array("{}[],:\"\\ tfn019.-eu".utf8).randomElement(using: &random) ?? 0
            }
            guard let other = try? JSONSerialization.jsonObject(with: Data(bytes), options: [.fragmentsAllowed])
            else { continue }
            // Others take a comma before the end of a list.
            guard let own = try? JSONReader.read(bytes, limits: .event) else {
                if round == 0 { Issue.record("\(recorded.name) is not read") }
                continue
            }
            if !JSONComparison.isSame(own, other) { Issue.record("\(String(decoding: bytes, as: UTF8.self))") }
        }
    }

    @Test(arguments: [
        "null", "[]", "\"\"", "1", "", "   ", "\u{feff}{}", "{} {}", "{}x", "{\"a\":1,}", "[1,]", "{\"a\"}", "{a:1}",
        "01", "-", "1.", "1e",
        "tru", "\"\\x\"", "\"\\u12\"", "\"\u{1}\"", "\"", "{\"a\":\"b", "[[", "NaN", "+1",
    ])
    func `what is not a JSON object is refused`(_ text: String) {
        let receiver = WebhookReceiver(kind: .github, secrets: [])
        let outcome = receiver.receive(
            WebhookRequest(method: "POST", headers: [("X-GitHub-Event", "push")], body: Array(text.utf8)), now: 0)
        #expect(outcome.status == 400)
    }

    @Test func `depth and number of values have bounds, length has none of its own`() {
        func reads(_ text: String) -> Bool { (try? JSONReader.read(Array(text.utf8), limits: .event)) != nil }
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(reads(nested(60)))
        for depth in [100, 10_000, 1_000_000] { #expect(!reads(nested(depth))) }
        #expect(reads("{\"n\":\(String(repeating: "9", count: 1 << 20))}"))
        #expect(reads("{\"s\":\"\(String(repeating: "x", count: 1 << 20))\"}"))
        let many = "[\(Array(repeating: "1", count: 200_000).joined(separator: ","))]"
        #expect(!reads(many))
        // What no event needs is read over, and counts for nothing.
        #expect(reads("{\"commits\":\(many)}"))
        #expect(!reads("{\"commits\":\(nested(100))}"))
    }

    @Test func `texts are repaired`() throws {
        let half = try JSONReader.read(Array(#"{"a":"x\ud800y","b":"\ud83d\udea2","c":"\ud83dz","d":"\u0000"}"#.utf8))
        #expect(half["a"].text == "x\u{fffd}y")
        #expect(half["b"].text == "🚢")
        #expect(half["c"].text == "\u{fffd}z")
        #expect(half["d"].text == "\u{0}")
        #expect(try JSONReader.read([0x22, 0xff, 0x22]).text == "\u{fffd}")
    }

    @Test(arguments: [
        ("POST", "gzip", 415), ("POST", "identity", 200), ("PUT", "", 405), ("HEAD", "", 405), ("OPTIONS", "", 405),
    ])
    func `methods and encodings`(_ method: String, _ encoding: String, _ status: Int) {
        let request = WebhookRequest(method: method, headers: [("Content-Encoding", encoding)], body: Array("{}".utf8))
        #expect(WebhookReceiver(kind: .github, secrets: []).receive(request, now: 0).status == status)
    }

    @Test(arguments: ["", "payload", "payload=", "payload=%", "payload=%zz", "other={}", "payload=%7B"])
    func `forms that hold nothing`(_ form: String) {
        for kind in [WebhookKind.github, .gitea] {
            let request = WebhookRequest(
                method: "POST", headers: [("Content-Type", "application/x-www-form-urlencoded")], body: Array(form.utf8)
            )
            #expect(WebhookReceiver(kind: kind, secrets: []).receive(request, now: 0).status == 400)
        }
    }
}

/// Two readings of one text.
private enum JSONComparison {
    static func isSame(_ own: JSONValue, _ other: Any) -> Bool {
        switch own {
        case .object(let members):
            guard let all = other as? [String: Any] else { return false }
            // What no event needs is not kept.
            return members.allSatisfy { key, value in all[key].map { isSame(value, $0) } ?? false }
        case .array(let items):
            guard let all = other as? [Any], all.count == items.count else { return false }
            return zip(items, all).allSatisfy { isSame($0, $1) }
        case .string(let text): return (other as? String) == text
        case .bool(let value): return (other as? Bool) == value
        case .number: return !(other is String || other is [Any] || other is [String: Any] || other is NSNull)
        case .null: return other is NSNull
        }
    }
}
