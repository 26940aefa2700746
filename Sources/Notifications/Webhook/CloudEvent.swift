import Text

/// A notice as a CloudEvent 1.0 in structured mode (github.com/cloudevents/spec, HTTP protocol binding 3.2).
struct CloudEvent: Sendable {
    static let contentType = "application/cloudevents+json; charset=utf-8"

    let notice: Notice
    /// A URI reference: whose agent it is. Together with the id it names the event.
    let source: String

    var json: JSON {
        .object([
            "specversion": .text("1.0"), "id": .text(notice.id), "source": .text(source),
            "type": .text("dev.slipway.\(notice.kind.rawValue)"),
            "subject": subject.isEmpty ? nil : .text(subject),
            "time": .text(UTCDate(secondsSince1970: notice.time).rfc3339),
            "datacontenttype": .text("application/json"), "data": data,
        ])
    }

    private var subject: String {
        [notice.repository, notice.subject].compactMap { $0.flatMap { $0.isEmpty ? nil : $0 } }.joined(separator: "/")
    }

    private var data: JSON {
        .object([
            "event": .text(notice.kind.rawValue), "severity": .text(notice.severity.rawValue),
            "repository": notice.repository.isEmpty ? nil : .text(notice.repository),
            "subject": notice.subject.map { .text($0) }, "title": .text(notice.title), "text": .text(notice.text),
            "hint": notice.hint.map { .text($0) }, "link": notice.link.map { .text($0) },
            "incident": notice.incident.map { .text($0) }, "ended": .bool(notice.isEnd),
            "dropped": notice.dropped.map { .number(String($0)) },
            "facts": .list(notice.facts.map { .object(["name": .text($0.name), "value": .text($0.value)]) }),
        ])
    }
}
