import Text

/// Text of steps for a terminal, which is not to be steered by what a step prints.
enum TerminalText {
    /// For a line that stays: without escape sequences and control characters.
    static func lasting(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in plain(text) { result.append(scalar) }
        return String(result)
    }

    /// For a name in a list, one line each: what could steer the terminal, or make two lines of one, is written as an escape. To leave
    /// it out would make one name look like another.
    static func name(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where isControl(scalar): result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Controls, and marks that change the direction of writing or cannot be seen.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7f..<0xa0, 0xad, 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x206f, 0xfeff: true
        default: false
        }
    }

    /// For a line that is redrawn: `width` columns at most, with its end kept. What may not be one column wide is a question mark.
    static func line(_ text: String, end: String, width: Int) -> String {
        let scalars = plain(text).map { isNarrow($0) ? $0 : "?" }
        let tail = end.isEmpty ? "" : " " + end
        let room = width - tail.utf8.count
        var result = String.UnicodeScalarView()
        if scalars.count <= room {
            result.append(contentsOf: scalars)
            return String(result) + tail
        }
        // A very narrow terminal has room for the beginning only.
        guard room >= 8 else {
            result.append(contentsOf: scalars.prefix(max(0, width)))
            return String(result)
        }
        result.append(contentsOf: scalars.prefix(end.isEmpty ? room : room - 1))
        return String(result) + (end.isEmpty ? "" : "…" + tail)
    }

    /// Without escape sequences (ECMA-48) and control characters; a tab is a blank.
    private static func plain(_ text: String) -> [Unicode.Scalar] {
        var result: [Unicode.Scalar] = []
        for scalar in text.withoutEscapes.unicodeScalars {
            if scalar == "\t" {
                result.append(" ")
            } else if !isControl(scalar) {
                result.append(scalar)
            }
        }
        return result
    }

    /// Letters, signs, arrows and boxes that are one column wide everywhere.
    private static func isNarrow(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x20...0x7e, 0xa0...0x2ff, 0x370...0x482, 0x48a...0x52f, 0x2010...0x2027, 0x2030...0x205e, 0x20a0...0x20bf,
            0x2190...0x21ff, 0x2500...0x259f, 0x2713...0x2718:
            true
        default: false
        }
    }
}
