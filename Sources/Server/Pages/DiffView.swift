import Agent

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

/// What a commit changed, by what history keeps of it: each value with its place before and after.
struct ChangeView: Sendable {
    let updates: [CycleReport.Update]
    private static let limit = 100

    @HTMLBuilder var html: HTML {
        if !updates.isEmpty {
            Tag.pre(.class("diff"), .selectable, .role("region"), .label("The change")) {
                for update in updates.prefix(Self.limit) {
                    Tag.span { "\(update.file):\(update.line) \(update.workload) \(update.container)" }
                    Tag.del { "-\(update.old)" }
                    Tag.ins { "+\(update.new)" }
                }
                if updates.count > Self.limit { Tag.span { "… \(updates.count - Self.limit) more places" } }
            }
        }
    }
}
