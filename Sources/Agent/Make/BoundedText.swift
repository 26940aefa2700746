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
}
