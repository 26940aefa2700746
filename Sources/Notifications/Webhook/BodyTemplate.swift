package import Template
import Text

/// The body of a webhook's requests: a tree as JSON has it, whose texts are templates. A template makes one text and never more than
/// that: what it shows is escaped when the tree is written.
package indirect enum BodyTemplate: Sendable {
    case text(Template)
    case literal(JSON)
    case list([BodyTemplate])
    case members([(name: String, value: BodyTemplate)])

    /// - Returns: `nil` where a template shows nothing: what it would have been is left out, as is what holds nothing else.
    func render(_ values: TemplateValue) throws(TemplateError) -> JSON? {
        switch self {
        case .literal(let json): return json
        case .text(let template):
            let text = try template.render(values)
            return text.isEmpty && !template.isLiteral ? nil : .text(text)
        case .list(let items):
            var made: [JSON] = []
            for item in items { if let json = try item.render(values) { made.append(json) } }
            return made.isEmpty && !items.isEmpty ? nil : .list(made)
        case .members(let members):
            var made: [JSON.Member] = []
            for (name, value) in members {
                if let json = try value.render(values) { made.append(JSON.Member(name: name, value: json)) }
            }
            return made.isEmpty && !members.isEmpty ? nil : .members(made)
        }
    }
}

/// What templates can show of a notice.
enum TemplateFields {
    /// - Parameter secrets: by the names that the configuration gives them.
    static func values(_ notice: Notice, secrets: [String: String]) -> TemplateValue {
        .object([
            (name: "id", value: .string(notice.id)),
            (name: "event", value: .string(notice.kind.rawValue)),
            (name: "severity", value: .string(notice.severity.rawValue)),
            (name: "time", value: .string(UTCDate(secondsSince1970: notice.time).rfc3339)),
            (name: "repository", value: .string(notice.repository)),
            (name: "subject", value: .string(notice.subject ?? "")),
            (name: "title", value: .string(notice.title)),
            (name: "text", value: .string(notice.text)),
            (name: "hint", value: .string(notice.hint ?? "")),
            (name: "link", value: .string(notice.link ?? "")),
            (name: "incident", value: .string(notice.incident ?? "")),
            (name: "ended", value: .bool(notice.isEnd)),
            (
                name: "facts",
                value: .list(
                    notice.facts.map {
                        .object([(name: "name", value: .string($0.name)), (name: "value", value: .string($0.value))])
                    })
            ),
            (name: "summary", value: .string(notice.summary)),
            (name: "markdown", value: .string(Markup.markdown(notice))),
            (name: "html", value: .string(Markup.html(notice))),
            (
                name: "secrets",
                value: .object(secrets.sorted { $0.key < $1.key }.map { (name: $0.key, value: .string($0.value)) })
            ),
        ])
    }
}

/// All of a notice in languages in which foreign text would mean something.
enum Markup {
    /// CommonMark, as Discord, Mattermost and Gitea have it.
    static func markdown(_ notice: Notice) -> String {
        var paragraphs = ["**\(escapedMarkdown(notice.title))**"]
        if !notice.text.isEmpty { paragraphs.append(escapedMarkdown(notice.text)) }
        if !notice.facts.isEmpty {
            paragraphs.append(
                notice.facts.map { "**\(escapedMarkdown($0.name)):** \(escapedMarkdown($0.value))" }
                    .joined(separator: "\n"))
        }
        if let remarks = notice.remarks { paragraphs.append(escapedMarkdown(remarks)) }
        if let link = notice.link { paragraphs.append("[Open in Slipway](<\(link)>)") }
        return paragraphs.joined(separator: "\n\n")
    }

    /// With `b`, `br` and `a` alone.
    static func html(_ notice: Notice) -> String {
        var paragraphs = ["<b>\(escapedHTML(notice.title))</b>"]
        if !notice.text.isEmpty { paragraphs.append(escapedHTML(notice.text)) }
        if !notice.facts.isEmpty {
            paragraphs.append(
                notice.facts.map { "<b>\(escapedHTML($0.name)):</b> \(escapedHTML($0.value))" }.joined(separator: "\n"))
        }
        if let remarks = notice.remarks { paragraphs.append(escapedHTML(remarks)) }
        if let link = notice.link { paragraphs.append("<a href=\"\(escapedHTML(link))\">Open in Slipway</a>") }
        return paragraphs.joined(separator: "\n\n").split(separator: "\n", omittingEmptySubsequences: false)
            .joined(separator: "<br>")
    }

    /// A backslash makes a character of any ASCII punctuation (CommonMark, 2.4).
    private static func escapedMarkdown(_ text: String) -> String {
        var result = ""
        for character in text {
            if "\\`*_~|<>#[]()@&:".contains(character) { result.append("\\") }
            result.append(character)
        }
        return result
    }

    private static func escapedHTML(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default: result.append(character)
            }
        }
        return result
    }
}
