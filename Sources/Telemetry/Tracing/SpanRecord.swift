/// The value of an attribute.
package enum AttributeValue: Sendable, Equatable {
    case text(String)
    case integer(Int64)
    case flag(Bool)
    case texts([String])

    /// Bytes of one text: what a repository writes may have any length.
    static let textLimit = 1_024

    /// Not longer than that.
    var bounded: AttributeValue {
        switch self {
        case .text(let text): .text(Self.shortened(text))
        case .texts(let texts): .texts(texts.prefix(32).map(Self.shortened))
        case .integer, .flag: self
        }
    }

    static func shortened(_ text: String) -> String {
        guard text.utf8.count > textLimit else { return text }
        var short = ""
        for character in text {
            guard short.utf8.count + character.utf8.count <= textLimit - 3 else { break }
            short.append(character)
        }
        return short + "…"
    }
}

/// A span that has ended.
package struct SpanRecord: Sendable {
    /// As OTLP numbers them.
    package enum Kind: Int, Sendable {
        case `internal` = 1
        case server = 2
        case client = 3
    }

    /// What went wrong.
    package struct Failure: Sendable, Equatable {
        package let type: String
        package let message: String
    }

    package let name: String
    package let kind: Kind
    package let context: SpanContext
    package let parent: SpanContext?
    /// Spans of other traces that caused this one, too.
    package let links: [SpanContext]
    /// Nanoseconds since 1970.
    package let start: UInt64
    package var end: UInt64
    package var attributes: [String: AttributeValue]
    package var failure: Failure?
}

/// Takes spans that have ended.
package protocol SpanSink: Sendable {
    func record(_ span: SpanRecord)
}
