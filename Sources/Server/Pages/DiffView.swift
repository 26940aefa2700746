/// A diff in colours; the signs stay.
struct DiffView: Sendable {
    let text: String
    private static let lineLimit = 400

    var html: HTML {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return Tag.pre(.class("diff"), .selectable, .role("region"), .label("The change")) {
            for line in lines.prefix(Self.lineLimit) {
                if line.hasPrefix("+"), !line.hasPrefix("+++") {
                    Tag.ins { String(line) }
                } else if line.hasPrefix("-"), !line.hasPrefix("---") {
                    Tag.del { String(line) }
                } else {
                    Tag.span { String(line) }
                }
            }
            if lines.count > Self.lineLimit { Tag.span { "… \(lines.count - Self.lineLimit) more lines" } }
        }
    }
}
