import Text

/// What one step said: its beginning and its end, the piece that was asked for, or what was searched for. Lines have numbers to link to,
/// which are those of the step: they stay when stages run side by side.
struct StepOutput: Sendable {
    let logs: StepLogs
    /// 0: what the build itself says.
    let step: Int
    let window: LogWindow

    /// In characters.
    private static let lineLimit = 2_000

    private var count: Int { logs.count(of: step) }

    var html: HTML {
        Tag.div(
            .class("log"), .selectable, .role("log"), .quiet, .label(step == 0 ? "Messages" : "Output of step \(step)")
        ) {
            if let search = window.search {
                found(search)
            } else if let piece = window.piece, piece.step == step {
                asked(piece)
            } else if window.isWhole || count <= LogWindow.head + LogWindow.tail {
                pieces(1..<count + 1)
            } else {
                lines(1..<LogWindow.head + 1)
                gap(from: LogWindow.head + 1, to: count - LogWindow.tail)
                lines(count - LogWindow.tail + 1..<count + 1)
            }
        }
    }

    @HTMLBuilder private func asked(_ piece: LogWindow.Piece) -> HTML {
        if let wanted = piece.lines {
            let shown = wanted.clamped(to: 1..<count + 1)
            if shown.lowerBound > 1 { gap(from: 1, to: shown.lowerBound - 1) }
            pieces(shown)
            if shown.upperBound <= count { gap(from: shown.upperBound, to: count) }
        } else {
            pieces(1..<count + 1)
        }
    }

    /// A browser lays out only the pieces that are in sight, so that many lines stay quick.
    private func pieces(_ range: Range<Int>) -> HTML {
        guard range.count > LogWindow.head + LogWindow.tail else { return lines(range) }
        return HTMLBuilder.buildArray(
            stride(from: range.lowerBound, to: range.upperBound, by: 200).map { start in
                Tag.div { lines(start..<min(start + 200, range.upperBound)) }
            })
    }

    private func lines(_ range: Range<Int>) -> HTML { HTMLBuilder.buildArray(range.map(line)) }

    private func line(_ number: Int) -> HTML {
        let id = "\(step):\(number)"
        return Tag.p(.id(id)) {
            Tag.a(.href(.place(id))) { "\(number)" }
            Tag.span { StyledLine(logs.line(number, of: step), limit: Self.lineLimit).html }
        }
    }

    private func gap(from: Int, to: Int) -> HTML {
        let missing = to - from + 1
        let own = [("step", "\(step)")]
        return Tag.div(.class("gap")) {
            "\(PageNumber.grouped(missing)) \(missing == 1 ? "line is" : "lines are") not shown: "
            Tag.a(.href(.same(own + [("from", "\(from)")], at: "\(step):\(from)"))) {
                missing > LogWindow.pieceSize ? "the next 1,000" : "show them"
            }
            ", "
            Tag.a(.href(.same(own + [("all", "1")], at: "\(step)"))) { "all of them" }
        }
    }

    /// Matching lines, with two around each.
    @HTMLBuilder private func found(_ text: String) -> HTML {
        let hits = logs.lines(of: step, with: text, limit: LogWindow.pieceSize)
        let shown = Set(hits.flatMap { ($0 - 2...$0 + 2) }).filter { $0 > 0 && $0 <= count }.sorted()
        for (position, number) in shown.enumerated() {
            if position > 0, shown[position - 1] != number - 1 { Tag.div(.class("gap")) { "…" } }
            line(number)
        }
        if hits.count == LogWindow.pieceSize { Tag.div(.class("gap")) { "and more: search for a longer text" } }
    }
}

enum PageNumber {
    /// `12,345`.
    static func grouped(_ number: Int) -> String {
        let digits = Array(String(number.magnitude))
        var text = number < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text += "," }
            text.append(digit)
        }
        return text
    }
}
