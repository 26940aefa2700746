import Diagnostics

extension SyntaxTree {
    /// The tree for people: one line an instruction with its place, flags and arguments below it.
    package var outline: String {
        var lines = [file]
        if let syntax = directives.syntax { lines.append("  syntax \(syntax)") }
        if directives.escape != "\\" { lines.append("  escape \(directives.escape)") }
        for node in globals { lines += Self.lines(node, indent: "  ") }
        for stage in stages {
            lines.append(
                "  stage \(stage.index)\(stage.name.map { " \($0)" } ?? "") \(Self.place(stage.from.range))")
            var from = "    FROM \(Self.shown(stage.from.image))"
            if let platform = stage.from.platform { from += " platform \(Self.shown(platform))" }
            lines.append(from)
            for node in stage.instructions { lines += Self.lines(node, indent: "    ") }
        }
        return lines.joined(separator: "\n")
    }

    private static func lines(_ node: Node, indent: String) -> [String] {
        var lines = ["\(indent)\(node.keyword)\(node.form.map { " (\($0.rawValue))" } ?? "") \(place(node.range))"]
        for flag in node.flags { lines.append("\(indent)  --\(flag.name)\(flag.value.map { " \(shown($0))" } ?? "")") }
        for argument in node.arguments { lines.append("\(indent)  \(shown(argument))") }
        for document in node.heredocs {
            lines.append("\(indent)  <<\(document.name) \(document.body.utf8.count) bytes")
        }
        for trigger in node.trigger ?? [] { lines += Self.lines(trigger, indent: indent + "  ") }
        return lines
    }

    private static func place(_ range: Range) -> String {
        "[\(range.start.line):\(range.start.column)-\(range.end.line):\(range.end.column)]"
    }

    /// In quotes, on one line.
    private static func shown(_ text: String) -> String { GoQuote.quoted(text) }
}
