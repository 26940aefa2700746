/// Cuts a template into text and actions, and actions into words (Go's text/template, "Text and spaces", "Actions").
struct TemplateLexer {
    enum Piece {
        case text(String)
        case action([TemplateToken], position: Int)
    }

    let bytes: [UInt8]
    private let place: (Int) -> String

    init(_ bytes: [UInt8], place: @escaping (Int) -> String) {
        self.bytes = bytes
        self.place = place
    }

    func pieces() throws(TemplateError) -> [Piece] {
        var pieces: [Piece] = []
        var index = 0
        var trimsNext = false
        while index < bytes.count {
            let open = find("{{", from: index)
            var text = bytes[index..<(open ?? bytes.count)]
            if trimsNext { text = text.drop(while: Self.isSpace) }
            guard let open else {
                if !text.isEmpty { pieces.append(.text(String(decoding: text, as: UTF8.self))) }
                break
            }
            var inside = open + 2
            if inside + 1 < bytes.count, bytes[inside] == UInt8(ascii: "-"), Self.isSpace(bytes[inside + 1]) {
                while let last = text.last, Self.isSpace(last) { text.removeLast() }
                inside += 2
            }
            if !text.isEmpty { pieces.append(.text(String(decoding: text, as: UTF8.self))) }
            let start = skipBlanks(inside)
            if start + 1 < bytes.count, bytes[start] == UInt8(ascii: "/"), bytes[start + 1] == UInt8(ascii: "*") {
                guard let end = find("*/", from: start + 2) else {
                    throw TemplateError(.syntax, "the comment has no end", place: place(start), hint: "close it: */}}")
                }
                let (close, trims) = try closing(skipBlanks(end + 2), after: end + 2, open: open)
                (index, trimsNext) = (close, trims)
                continue
            }
            let (tokens, end, trims) = try action(from: inside, open: open)
            pieces.append(.action(tokens, position: open))
            (index, trimsNext) = (end, trims)
        }
        return pieces
    }

    /// The end of an action at `index`: where the text goes on, and whether its leading blanks are cut.
    private func closing(
        _ index: Int, after: Int, open: Int
    ) throws(TemplateError) -> (next: Int, trims: Bool) {
        if matches("}}", at: index) { return (index + 2, false) }
        if matches("-}}", at: index), index > after { return (index + 3, true) }
        throw TemplateError(.syntax, "a comment must be alone between {{ and }}", place: place(open))
    }

    private func action(
        from start: Int, open: Int
    ) throws(TemplateError) -> (tokens: [TemplateToken], end: Int, trims: Bool) {
        var tokens: [TemplateToken] = []
        var index = start
        while true {
            let next = skipBlanks(index)
            let isApart = next > index || tokens.isEmpty
            guard next < bytes.count else {
                throw TemplateError(
                    .syntax, "'{{' is not closed", place: place(open), hint: "close it with '}}'")
            }
            if matches("}}", at: next) { return (tokens, next + 2, false) }
            if matches("-}}", at: next), next > index { return (tokens, next + 3, true) }
            let (kind, end) = try token(at: next)
            tokens.append(TemplateToken(kind: kind, position: next, isApart: isApart))
            index = end
        }
    }

    private func token(at index: Int) throws(TemplateError) -> (TemplateToken.Kind, Int) {
        let byte = bytes[index]
        switch byte {
        case UInt8(ascii: "|"): return (.pipe, index + 1)
        case UInt8(ascii: "("): return (.open, index + 1)
        case UInt8(ascii: ")"): return (.close, index + 1)
        case UInt8(ascii: ","): return (.comma, index + 1)
        case UInt8(ascii: "="): return (.assign, index + 1)
        case UInt8(ascii: ":"):
            if matches(":=", at: index) { return (.declare, index + 2) }
        case UInt8(ascii: "."):
            let end = wordEnd(index + 1)
            if end > index + 1 { return (.field(text(index + 1..<end)), end) }
            return (.dot, index + 1)
        case UInt8(ascii: "$"):
            let end = wordEnd(index + 1)
            return (.variable(text(index..<end)), end)
        case UInt8(ascii: "\""): return try quoted(at: index)
        case UInt8(ascii: "`"):
            guard let end = bytes[(index + 1)...].firstIndex(of: UInt8(ascii: "`")) else {
                throw TemplateError(.syntax, "the text in backquotes has no end", place: place(index))
            }
            return (.string(text(index + 1..<end)), end + 1)
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"):
            var end = index + 1
            while end < bytes.count, Self.isWord(bytes[end]) || bytes[end] == UInt8(ascii: ".") { end += 1 }
            guard let number = Int(text(index..<end)) else {
                throw TemplateError(
                    .unsupported, "'\(text(index..<end))' is not a whole number", place: place(index))
            }
            return (.integer(number), end)
        default:
            let end = wordEnd(index)
            if end > index { return (.identifier(text(index..<end)), end) }
        }
        throw TemplateError(
            .syntax, "'\(String(decoding: bytes[index...].prefix(1), as: UTF8.self))' is not understood here",
            place: place(index))
    }

    /// A text in double quotes with Go's escapes.
    private func quoted(at start: Int) throws(TemplateError) -> (TemplateToken.Kind, Int) {
        var result: [UInt8] = []
        var index = start + 1
        while index < bytes.count, bytes[index] != UInt8(ascii: "\n") {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\"") { return (.string(String(decoding: result, as: UTF8.self)), index + 1) }
            guard byte == UInt8(ascii: "\\") else {
                result.append(byte)
                index += 1
                continue
            }
            guard index + 1 < bytes.count else { break }
            let escaped = bytes[index + 1]
            index += 2
            switch escaped {
            case UInt8(ascii: "n"): result.append(0x0a)
            case UInt8(ascii: "t"): result.append(0x09)
            case UInt8(ascii: "r"): result.append(0x0d)
            case UInt8(ascii: "\\"), UInt8(ascii: "\""): result.append(escaped)
            case UInt8(ascii: "x"), UInt8(ascii: "u"), UInt8(ascii: "U"):
                let count = escaped == UInt8(ascii: "x") ? 2 : escaped == UInt8(ascii: "u") ? 4 : 8
                let digits = text(index..<min(bytes.count, index + count))
                guard digits.utf8.count == count, let value = UInt32(digits, radix: 16),
                    let scalar = Unicode.Scalar(value), count > 2 || value < 0x80
                else {
                    throw TemplateError(.syntax, "this escape is no character", place: place(index - 2))
                }
                result += Array(String(Character(scalar)).utf8)
                index += count
            default:
                throw TemplateError(
                    .unsupported, "the escape '\\\(String(decoding: [escaped], as: UTF8.self))' is not known",
                    place: place(index - 2), hint: "known: \\n \\t \\r \\\\ \\\" \\x \\u \\U")
            }
        }
        throw TemplateError(.syntax, "the text in quotes has no end on its line", place: place(start))
    }

    // MARK: Bytes

    private func find(_ needle: String, from index: Int) -> Int? {
        var index = index
        while index + needle.utf8.count <= bytes.count {
            if matches(needle, at: index) { return index }
            index += 1
        }
        return nil
    }

    private func matches(_ needle: String, at index: Int) -> Bool {
        index >= 0 && index + needle.utf8.count <= bytes.count && bytes[index...].starts(with: needle.utf8)
    }

    private func skipBlanks(_ index: Int) -> Int {
        var index = index
        while index < bytes.count, Self.isSpace(bytes[index]) { index += 1 }
        return index
    }

    private func wordEnd(_ start: Int) -> Int {
        var end = start
        while end < bytes.count, Self.isWord(bytes[end]) { end += 1 }
        return end
    }

    private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d }

    private static func isWord(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            || byte == UInt8(ascii: "_") || byte >= 0x80
    }
}
