import Text

/// A piece of a page. Everything in it is escaped as it goes in, and there is no way to put raw text in.
struct HTML: Sendable {
    fileprivate(set) var bytes: [UInt8] = []

    fileprivate init() {}

    /// Text. What would steer a reader (controls, marks that turn the direction of writing) becomes U+FFFD.
    init(_ text: some StringProtocol) { Self.escape(text, into: &bytes) }

    fileprivate static func escape(_ text: some StringProtocol, into bytes: inout [UInt8]) {
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": bytes += "&amp;".utf8
            case "<": bytes += "&lt;".utf8
            case ">": bytes += "&gt;".utf8
            case "\"": bytes += "&quot;".utf8
            case "'": bytes += "&#39;".utf8
            case "\n", "\t": bytes.append(UInt8(scalar.value))
            default: bytes += UTF8.encode(scalar.isPrintable ? scalar : "\u{FFFD}") ?? UTF8.encodedReplacementCharacter
            }
        }
    }

    static func + (one: HTML, other: HTML) -> HTML {
        var both = one
        both.bytes += other.bytes
        return both
    }

    static let nothing = HTML()
}

/// Puts pieces together: texts, elements, and what conditions and loops make of them.
@resultBuilder enum HTMLBuilder {
    static func buildExpression(_ text: String) -> HTML { HTML(text) }
    static func buildExpression(_ piece: HTML) -> HTML { piece }
    static func buildBlock(_ pieces: HTML...) -> HTML { buildArray(pieces) }
    static func buildOptional(_ piece: HTML?) -> HTML { piece ?? .nothing }
    static func buildEither(first piece: HTML) -> HTML { piece }
    static func buildEither(second piece: HTML) -> HTML { piece }
    static func buildArray(_ pieces: [HTML]) -> HTML {
        var all = HTML.nothing
        for piece in pieces { all.bytes += piece.bytes }
        return all
    }
}

/// An element of HTML or SVG: `Tag.p(.class("b")) { "text" }`.
///
/// Neither `script` nor `style` has content of ours, so that text is text everywhere.
struct Tag: Sendable {
    private let name: StaticString
    private let isVoid: Bool

    init(_ name: StaticString, isVoid: Bool = false) {
        self.name = name
        self.isVoid = isVoid
    }

    func callAsFunction(_ attributes: Attribute?..., @HTMLBuilder content: () -> HTML = { .nothing }) -> HTML {
        var piece = HTML.nothing
        piece.bytes.append(UInt8(ascii: "<"))
        name.withUTF8Buffer { piece.bytes += $0 }
        for case let attribute? in attributes {
            piece.bytes.append(UInt8(ascii: " "))
            attribute.name.withUTF8Buffer { piece.bytes += $0 }
            guard let value = attribute.value else { continue }
            piece.bytes += "=\"".utf8
            HTML.escape(value, into: &piece.bytes)
            piece.bytes.append(UInt8(ascii: "\""))
        }
        piece.bytes.append(UInt8(ascii: ">"))
        guard !isVoid else { return piece }
        piece.bytes += content().bytes
        piece.bytes += "</".utf8
        name.withUTF8Buffer { piece.bytes += $0 }
        piece.bytes.append(UInt8(ascii: ">"))
        return piece
    }
}

/// A whole page.
struct HTMLDocument: Sendable {
    let bytes: [UInt8]

    init(_ root: HTML) { bytes = Array("<!doctype html>\n".utf8) + root.bytes + Array("\n".utf8) }
}
