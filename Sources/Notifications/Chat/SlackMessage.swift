import Text

/// What Slack is sent: Block Kit, with a fallback text for notifications.
///
/// docs.slack.dev/reference/block-kit, docs.slack.dev/messaging/formatting-message-text. Limits: 50 blocks, 3,000 characters of a
/// section's text, 10 fields of 2,000; some 13,000 characters in all blocks together, which is not documented.
struct SlackMessage: Sendable {
    let notices: [Notice]

    static let sectionLimit = 3_000
    private static let fieldLimit = 600
    private static let fallbackLimit = 3_000
    private static let blockLimit = 50
    private static let totalLimit = 12_000

    /// - Parameter channel: where a bot posts it; a webhook has its own.
    func payload(channel: String? = nil) -> JSON {
        .object([
            "channel": channel.map { .text($0) },
            "text": .text(SlackText.escaped(notices.map(\.title).joined(separator: "\n"), limit: Self.fallbackLimit)),
            "blocks": .list(blocks),
            // Foreign texts name no channels and people, and show no pictures.
            "parse": channel == nil ? nil : .text("none"),
            "link_names": .bool(false), "unfurl_links": .bool(false), "unfurl_media": .bool(false),
        ])
    }

    private var blocks: [JSON] {
        var blocks: [JSON] = []
        var left = Self.totalLimit
        // Each gets a fair part, so that the last is not lost to the first one's length.
        let share = Self.totalLimit / max(1, notices.count)
        for (index, notice) in notices.enumerated() {
            var made: [(json: JSON, size: Int)] = []
            let head = section("*\(SlackText.escaped(notice.title, limit: 400))*", mark: notice)
            made.append(head)
            if !notice.text.isEmpty {
                made.append(section(SlackText.escaped(notice.text, limit: min(Self.sectionLimit, share / 2))))
            }
            if !notice.facts.isEmpty, share >= 2_000 { made.append(facts(of: notice)) }
            let foot = [
                notice.remarks.map { SlackText.escaped($0, limit: 500) },
                notice.link.map { "<\(SlackText.escaped($0, limit: 2_000))|Open in Slipway>" },
            ].compactMap(\.self)
            if !foot.isEmpty { made.append(section(foot.joined(separator: "\n"))) }
            for block in made where block.size <= left && blocks.count < Self.blockLimit - 1 {
                blocks.append(block.json)
                left -= block.size
            }
            if index < notices.count - 1, blocks.count < Self.blockLimit - 1 {
                blocks.append(.object(["type": .text("divider")]))
            }
        }
        return blocks
    }

    private func section(_ text: String, mark notice: Notice? = nil) -> (json: JSON, size: Int) {
        let text = notice.map { "\(Self.mark($0)) \(text)" } ?? text
        return (.object(["type": .text("section"), "text": Self.markdown(text)]), text.unicodeScalars.count)
    }

    private func facts(of notice: Notice) -> (json: JSON, size: Int) {
        let texts = notice.facts.map {
            "*\(SlackText.escaped($0.name, limit: 100))*\n\(SlackText.escaped($0.value, limit: Self.fieldLimit))"
        }
        let size = texts.reduce(0) { $0 + $1.unicodeScalars.count }
        return (.object(["type": .text("section"), "fields": .list(texts.map(Self.markdown))]), size)
    }

    /// `verbatim`: what looks like a link, a channel or a name stays text.
    private static func markdown(_ text: String) -> JSON {
        .object(["type": .text("mrkdwn"), "text": .text(text), "verbatim": .bool(true)])
    }

    private static func mark(_ notice: Notice) -> String {
        switch notice.severity {
        case .error: ":red_circle:"
        case .warning: ":large_yellow_circle:"
        case .info: notice.isEnd ? ":white_check_mark:" : ":large_blue_circle:"
        }
    }
}

enum SlackText {
    /// Foreign text for a message. Without `<`, no `<!everyone>`, `<@U1>` or `<url|words>` is one.
    ///
    /// - Parameter limit: in characters of the result. The cut never falls into an escape.
    static func escaped(_ text: String, limit: Int) -> String {
        var result = String.UnicodeScalarView()
        var count = 0
        for scalar in text.unicodeScalars {
            let piece: String.UnicodeScalarView
            switch scalar {
            case "&": piece = "&amp;".unicodeScalars
            case "<": piece = "&lt;".unicodeScalars
            case ">": piece = "&gt;".unicodeScalars
            default: piece = String(scalar).unicodeScalars
            }
            // Room for what says that there is more.
            guard count + piece.count < limit else { return String(result) + "…" }
            result.append(contentsOf: piece)
            count += piece.count
        }
        return String(result)
    }
}
