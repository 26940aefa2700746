/// What a Teams workflow is sent: a message with one Adaptive Card 1.4 (adaptivecards.io/explorer), of 28 KB at most.
///
/// Foreign text stands in `TextRun`s only: they have no Markdown, no `{{DATE()}}` and no mentions, as `TextBlock`s have.
struct TeamsMessage: Sendable {
    let notices: [Notice]

    /// Teams counts 28 KB; some of it is the workflow's own.
    static let limit = 24 << 10

    var bytes: [UInt8] {
        var textLimit = Notice.textLimit
        while true {
            let bytes = message(textLimit: textLimit).bytes
            guard bytes.count > Self.limit, textLimit > 16 else { return bytes }
            textLimit /= 2
        }
    }

    private func message(textLimit: Int) -> JSON {
        .object([
            "type": .text("message"),
            "attachments": .list([
                .object([
                    "contentType": .text("application/vnd.microsoft.card.adaptive"), "contentUrl": .null,
                    "content": card(textLimit: textLimit),
                ])
            ]),
        ])
    }

    private func card(textLimit: Int) -> JSON {
        let links = notices.compactMap { notice in notice.link.map { (notice, $0) } }.prefix(6)
        let actions = links.map { notice, link in
            JSON.object([
                "type": .text("Action.OpenUrl"),
                "title": .text(notices.count == 1 ? "Open in Slipway" : Self.cut(Self.name(notice), 60)),
                "url": .text(link),
            ])
        }
        return .object([
            "$schema": .text("http://adaptivecards.io/schemas/adaptive-card.json"), "type": .text("AdaptiveCard"),
            "version": .text("1.4"),
            "body": .list(
                notices.enumerated().map { container($1, textLimit: textLimit, isFirst: $0 == 0) }),
            "actions": actions.isEmpty ? nil : .list(actions),
            "msteams": .object(["width": .text("Full")]),
        ])
    }

    private static func name(_ notice: Notice) -> String {
        [notice.repository, notice.subject].compactMap { $0.flatMap { $0.isEmpty ? nil : $0 } }.joined(separator: "/")
    }

    private func container(_ notice: Notice, textLimit: Int, isFirst: Bool) -> JSON {
        var items = [
            block([run(notice.title, weight: "Bolder", color: Self.color(notice), limit: min(300, textLimit))])
        ]
        for line in Self.cut(notice.text, textLimit).split(separator: "\n") {
            items.append(block([run(String(line), limit: textLimit)]))
        }
        for fact in notice.facts {
            items.append(
                block([
                    run("\(fact.name): ", weight: "Bolder", limit: 60),
                    run(fact.value, limit: min(300, textLimit)),
                ]))
        }
        if let text = notice.remarks { items.append(block([run(text, limit: min(500, textLimit), isSubtle: true)])) }
        return .object([
            "type": .text("Container"), "separator": isFirst ? nil : .bool(true), "items": .list(items),
        ])
    }

    private func block(_ runs: [JSON]) -> JSON {
        .object(["type": .text("RichTextBlock"), "inlines": .list(runs)])
    }

    private func run(
        _ text: String, weight: String? = nil, color: String? = nil, limit: Int, isSubtle: Bool = false
    ) -> JSON {
        .object([
            "type": .text("TextRun"), "text": .text(Self.cut(text, limit)), "weight": weight.map { .text($0) },
            "color": color.map { .text($0) }, "isSubtle": isSubtle ? .bool(true) : nil,
        ])
    }

    private static func cut(_ text: String, _ limit: Int) -> String {
        text.unicodeScalars.count <= limit ? text : String(text.prefix(max(0, limit - 1))) + "…"
    }

    private static func color(_ notice: Notice) -> String {
        switch notice.severity {
        case .error: "Attention"
        case .warning: "Warning"
        case .info: notice.isEnd ? "Good" : "Accent"
        }
    }
}
