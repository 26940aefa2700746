import Text

/// Texts of others, for files and pages that are to stay small.
enum BoundedText {
    /// The text, or its beginning and more of its end: a failed step's output ends with what went wrong.
    ///
    /// - Parameter limit: in bytes of UTF-8; a few more may come out, for the sign between the two.
    static func ends(of text: String, limit: Int) -> String {
        guard text.utf8.count > limit else { return text }
        let head = String(decoding: text.utf8.prefix(limit / 4), as: UTF8.self)
        let tail = String(decoding: text.utf8.suffix(limit - limit / 4), as: UTF8.self)
        return "\(head) … \(tail)"
    }

    /// A line that a step may have written: without escape sequences, and with a replacement character for other controls.
    ///
    /// - Parameter limit: in bytes of UTF-8; what is longer is cut, with a sign for it.
    static func line(_ text: some StringProtocol, limit: Int) -> String {
        var result = String.UnicodeScalarView()
        var size = 0
        for scalar in String(text).withoutEscapes.unicodeScalars {
            let shown = isControl(scalar) ? "\u{FFFD}" : scalar
            result.append(shown)
            size += UTF8.width(shown)
            guard size < limit else { return String(result) + " …" }
        }
        return String(result)
    }

    /// The same for a log, which keeps colours and their kin (SGR, ECMA-48 section 8.3.117). They end with the line.
    static func colouredLine(_ text: some StringProtocol, limit: Int) -> String {
        guard text.utf8.contains(0x1b) else { return line(text, limit: limit) }
        var (parser, isStyled) = (EscapeParser(), false)
        var result = ""
        for scalar in text.unicodeScalars {
            switch parser.take(scalar) {
            case .character(let character): result.unicodeScalars.append(isControl(character) ? "\u{FFFD}" : character)
            case .sequence(let parameters, "m") where parameters.utf8.allSatisfy({ (0x30...0x3b).contains($0) }):
                isStyled = !parameters.utf8.allSatisfy { $0 == 0x30 }
                result += "\u{1B}[\(parameters)m"
            default: continue
            }
            guard result.utf8.count < limit else { return result + (isStyled ? reset : "") + " …" }
        }
        return isStyled ? result + reset : result
    }

    private static let reset = "\u{1B}[0m"

    /// What a step prints may hold anything, and so may instructions, names of files and images, and what a registry says: it
    /// neither steers a terminal nor begins a line of its own. Escape sequences are left out; other controls are seen.
    static func printable(_ text: String) -> String {
        let text = text.withoutEscapes
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { result.append(isControl(scalar) ? "\u{FFFD}" : scalar) }
        return String(result)
    }

    /// C0 and C1 controls but the tab, and marks that end a line or change the direction of writing.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09: false
        case 0..<0x20, 0x7f..<0xa0, 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x2069: true
        default: false
        }
    }
}
