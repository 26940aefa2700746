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

    /// A line that a step may have written: what would steer a terminal becomes a replacement character.
    ///
    /// - Parameter limit: in bytes of UTF-8; what is longer is cut, with a sign for it.
    static func line(_ text: some StringProtocol, limit: Int) -> String {
        var result = String.UnicodeScalarView()
        var size = 0
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 0x20 && scalar != "\t" || (0x7f..<0xa0).contains(scalar.value)
            result.append(isControl ? "\u{FFFD}" : scalar)
            size += isControl ? 3 : UTF8.width(scalar)
            guard size < limit else { return String(result) + " …" }
        }
        return String(result)
    }
}
