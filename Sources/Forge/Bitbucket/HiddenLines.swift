/// Bitbucket's Markdown shows HTML comments as text. A line that is not to be shown, which the agent writes `<!-- slipway-…: … -->`,
/// becomes the definition of a link there that nothing refers to.
enum HiddenLines {
    private static let comment = (opening: "<!-- slipway-", closing: " -->")
    private static let reference = (opening: "[//]: # (slipway-", closing: ")")

    /// What is sent to the host.
    static func written(_ text: String) -> String { changed(text, from: comment, to: reference) }

    /// What the host sent, as the agent writes it.
    static func read(_ text: String) -> String { changed(text, from: reference, to: comment) }

    private static func changed(
        _ text: String, from old: (opening: String, closing: String), to new: (opening: String, closing: String)
    ) -> String {
        guard text.contains(old.opening) else { return text }
        return text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map { line in
            var end = line
            while end.last?.isWhitespace == true { end.removeLast() }
            guard end.hasPrefix(old.opening), end.hasSuffix(old.closing),
                end.utf8.count > old.opening.utf8.count + old.closing.utf8.count
            else { return String(line) }
            return new.opening + end.dropFirst(old.opening.count).dropLast(old.closing.count) + new.closing
        }.joined(separator: "\n")
    }
}
