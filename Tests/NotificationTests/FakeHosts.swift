import Foundation
import TestSupport

/// A fake of a host that takes messages, written from its public documentation. It refuses what the host would.
enum FakeHost: String, CaseIterable, Sendable {
    case slack, teams, discord, googleChat, matrix, pagerDuty, cloudEvents

    func server() throws -> StubServer {
        try StubServer { request in
            do {
                let sent = try Sent(request.body)
                if let problem = self.problem(with: sent, request) { return .text(400, problem) }
                return self.reply
            } catch {
                return .text(400, "the body is not JSON")
            }
        }
    }

    private var reply: StubReply {
        switch self {
        case .slack: .text(200, "ok")
        case .teams, .cloudEvents: .answer(202)
        case .discord: .answer(204)
        case .googleChat: .text(200, #"{"name":"spaces/S/messages/M"}"#)
        case .matrix: .text(200, #"{"event_id":"$1"}"#)
        case .pagerDuty: .text(202, #"{"status":"success"}"#)
        }
    }

    /// What the host would not take; `nil` where it takes the message.
    func problem(with sent: Sent, _ request: StubRequest? = nil) -> String? {
        switch self {
        case .slack: Self.slack(sent)
        case .teams: Self.teams(sent, size: request?.body.count ?? 0)
        case .discord: Self.discord(sent)
        case .googleChat: Self.googleChat(sent, size: request?.body.count ?? 0)
        case .matrix: Self.matrix(sent, request)
        case .pagerDuty: Self.pagerDuty(sent)
        case .cloudEvents: Self.cloudEvents(sent, request)
        }
    }

    // MARK: Slack (docs.slack.dev/reference/block-kit/blocks)

    private static func slack(_ sent: Sent) -> String? {
        guard let text = sent["text"].text, !text.isEmpty else { return "no_text" }
        guard text.count <= 40_000 else { return "msg_too_long" }
        let blocks = sent["blocks"].list
        guard !blocks.isEmpty, blocks.count <= 50 else { return "invalid_blocks: count" }
        var total = 0
        for block in blocks {
            switch block["type"].text {
            case "divider": continue
            case "section":
                let fields = block["fields"].list
                guard block["text"].value != nil || !fields.isEmpty else { return "invalid_blocks: empty section" }
                guard fields.count <= 10 else { return "invalid_blocks: fields" }
                for (part, limit) in [(block["text"], 3_000)] + fields.map({ ($0, 2_000) }) where part.value != nil {
                    guard part["type"].text == "mrkdwn", let text = part["text"].text, !text.isEmpty else {
                        return "invalid_blocks: text"
                    }
                    guard text.count <= limit else { return "invalid_blocks: \(text.count) characters" }
                    total += text.count
                }
            default: return "invalid_blocks: type"
            }
        }
        return total <= 13_000 ? nil : "msg_blocks_too_long"
    }

    // MARK: Teams (adaptivecards.io/explorer, version 1.4)

    private static func teams(_ sent: Sent, size: Int) -> String? {
        guard size <= 28 << 10 else { return "RequestEntityTooLarge" }
        guard sent["type"].text == "message", sent["attachments"].list.count == 1,
            let attachment = sent["attachments"].list.first,
            attachment["contentType"].text == "application/vnd.microsoft.card.adaptive"
        else { return "no card" }
        let card = attachment["content"]
        guard card["type"].text == "AdaptiveCard", card["version"].text == "1.4",
            card["$schema"].text == "http://adaptivecards.io/schemas/adaptive-card.json"
        else { return "not an Adaptive Card 1.4" }
        let known = ["type", "version", "$schema", "body", "actions", "msteams"]
        guard card.keys.isSubset(of: known) else { return "unknown property of the card" }
        for action in card["actions"].list {
            guard action["type"].text == "Action.OpenUrl", let url = action["url"].text, URL(string: url)?.scheme != nil
            else { return "action" }
        }
        guard card["actions"].list.count <= 6 else { return "too many actions" }
        return card["body"].list.lazy.compactMap(element).first
    }

    private static func element(_ element: Sent) -> String? {
        switch element["type"].text {
        case "Container":
            guard element.keys.isSubset(of: ["type", "items", "separator"]), !element["items"].list.isEmpty else {
                return "Container"
            }
            return element["items"].list.lazy.compactMap(Self.element).first
        case "RichTextBlock":
            guard element.keys == ["type", "inlines"], !element["inlines"].list.isEmpty else { return "RichTextBlock" }
            for run in element["inlines"].list {
                guard run["type"].text == "TextRun", run["text"].text != nil,
                    run.keys.isSubset(of: ["type", "text", "weight", "color", "isSubtle"]),
                    [nil, "Bolder"].contains(run["weight"].text),
                    [nil, "Attention", "Warning", "Good", "Accent"].contains(run["color"].text)
                else { return "TextRun" }
            }
            return nil
        default: return "an element of another type: \(element["type"].text ?? "-")"
        }
    }

    // MARK: Discord (discord.com/developers/docs/resources/webhook)

    private static func discord(_ sent: Sent) -> String? {
        guard (sent["allowed_mentions"]["parse"].value as? [Any])?.isEmpty == true else {
            return "mentions are not turned off"
        }
        let (content, embeds) = (sent["content"].text ?? "", sent["embeds"].list)
        guard !content.isEmpty || !embeds.isEmpty else { return "50006: cannot send an empty message" }
        guard content.count <= 2_000, embeds.count <= 10 else { return "50035: content" }
        for embed in embeds {
            guard (embed["title"].text ?? "").count <= 256, (embed["description"].text ?? "").count <= 4_096 else {
                return "50035: embed"
            }
            if let url = embed["url"].text, URL(string: url)?.scheme == nil { return "50035: embed.url" }
            if embed["color"].value != nil, embed["color"].value as? Int == nil { return "50035: embed.color" }
        }
        return nil
    }

    // MARK: Google Chat (developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages)

    private static func googleChat(_ sent: Sent, size: Int) -> String? {
        guard size <= 32_000 else { return "message too long" }
        guard sent.keys == ["cardsV2"], let card = sent["cardsV2"].list.first?["card"] else { return "no card" }
        guard card["header"]["title"].text?.isEmpty == false else { return "card.header.title" }
        let widgets = card["sections"].list.flatMap { $0["widgets"].list }
        guard !widgets.isEmpty, widgets.allSatisfy({ $0["textParagraph"]["text"].text != nil }) else {
            return "widgets"
        }
        return nil
    }

    // MARK: Matrix (spec.matrix.org: PUT …/send/{eventType}/{txnId})

    private static func matrix(_ sent: Sent, _ request: StubRequest?) -> String? {
        if let request {
            guard request.method == "PUT", request.headers["authorization"]?.hasPrefix("Bearer ") == true,
                request.path.split(separator: "/").dropLast().last == "m.room.message", !request.path.hasSuffix("{id}")
            else { return "M_UNRECOGNIZED" }
            guard request.body.count <= 60_000 else { return "M_TOO_LARGE" }
        }
        guard sent["msgtype"].text == "m.notice", sent["body"].text != nil,
            sent["format"].text == "org.matrix.custom.html", sent["formatted_body"].text != nil,
            sent["m.mentions"].value is [String: Any]
        else { return "M_BAD_JSON" }
        return nil
    }

    // MARK: PagerDuty (developer.pagerduty.com/docs/send-alert-event)

    private static func pagerDuty(_ sent: Sent) -> String? {
        guard let key = sent["routing_key"].text, key.count == 32 else { return "routing_key" }
        guard ["trigger", "resolve"].contains(sent["event_action"].text) else { return "event_action" }
        guard let incident = sent["dedup_key"].text, (1...255).contains(incident.count) else { return "dedup_key" }
        let payload = sent["payload"]
        guard let summary = payload["summary"].text, (1...1_024).contains(summary.count),
            payload["source"].text?.isEmpty == false,
            ["critical", "error", "warning", "info"].contains(payload["severity"].text)
        else { return "payload" }
        return nil
    }

    // MARK: CloudEvents 1.0 (github.com/cloudevents/spec)

    private static func cloudEvents(_ sent: Sent, _ request: StubRequest?) -> String? {
        if let request, request.headers["content-type"]?.hasPrefix("application/cloudevents+json") != true {
            return "content type"
        }
        guard sent["specversion"].text == "1.0", sent["id"].text?.isEmpty == false,
            sent["source"].text?.isEmpty == false,
            sent["type"].text?.isEmpty == false
        else { return "a required attribute is missing" }
        let isName = { (name: String) in name.allSatisfy { $0.isASCII && ($0.isLowercase || $0.isNumber) } }
        guard sent.keys.allSatisfy(isName) else { return "the name of an attribute" }
        if let time = sent["time"].text, ISO8601DateFormatter().date(from: time) == nil { return "time" }
        return nil
    }
}
