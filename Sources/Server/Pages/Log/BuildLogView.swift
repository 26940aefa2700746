import Agent
import Text

/// A build's log on its page: its beginning and its end, or the piece that was asked for. Lines have numbers to link to.
struct BuildLogView: Sendable {
    /// What the query of the page asks for.
    struct Window: Sendable, Equatable {
        /// The first line, from 1; `nil`: the beginning and the end.
        var from: Int?
        /// A text: lines that have it, two around each.
        var search: String?
        var isWhole = false

        init(_ request: ServerRequest) {
            from = request.query["from"].flatMap(Int.init).map(Self.line)
            // A link to a line that may not be on the page.
            if let line = request.query["line"].flatMap(Int.init) { from = max(1, Self.line(line) - 200) }
            search = request.query["log"].flatMap { $0.isEmpty ? nil : $0 }
            isWhole = request.query["all"] == "1"
        }

        private static func line(_ number: Int) -> Int { min(max(1, number), 1 << 32) }
    }

    let id: BuildID
    let lines: [Substring]
    let window: Window
    /// Whether all of the log was read.
    let isComplete: Bool
    /// Whether lines come while the page is looked at.
    var isGrowing = false

    private static let (head, tail, piece, lineLimit) = (100, 400, 1_000, 2_000)

    init(id: BuildID, text: [UInt8], window: Window, isComplete: Bool) {
        self.id = id
        var lines = String(decoding: text, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        self.lines = lines
        self.window = window
        self.isComplete = isComplete
    }

    var html: HTML {
        Tag.section(.labelled(by: "h-log")) {
            Tag.div(.class("h")) {
                Tag.h2(.id("h-log")) { "Log" }
                Tag.span(.class("s")) { counted(lines.count, "line", "lines") + (isComplete ? "" : " so far read") }
            }
            if lines.isEmpty {
                Tag.p(.class("card mute")) { "No output yet, or it is no longer kept." }
            } else {
                Tag.div(.class("log"), .selectable, .role("log"), .quiet, .label("Output of the build")) { body }
            }
            tools
        }
    }

    @HTMLBuilder private var body: HTML {
        if let search = window.search {
            found(search)
        } else if let from = window.from {
            piece(from - 1..<from - 1 + Self.piece)
            if from - 1 + Self.piece < lines.count { gap(from + Self.piece) }
        } else if window.isWhole || lines.count <= Self.head + Self.tail {
            for start in stride(from: 0, to: lines.count, by: 200) { Tag.div { piece(start..<start + 200) } }
        } else {
            piece(0..<Self.head)
            gap(Self.head + 1)
            piece(lines.count - Self.tail..<lines.count)
        }
    }

    private func piece(_ range: Range<Int>) -> HTML {
        HTMLBuilder.buildArray(range.clamped(to: lines.indices).map(line))
    }

    private func line(_ index: Int) -> HTML {
        let id = "L\(index + 1)"
        return Tag.p(.id(id)) {
            Tag.a(.href(.place(id))) { "\(index + 1)" }
            Tag.span { StyledLine(lines[index], limit: Self.lineLimit).html }
        }
    }

    /// What is between the beginning and the end.
    private func gap(_ from: Int) -> HTML {
        let missing = window.from == nil ? lines.count - Self.head - Self.tail : lines.count - from + 1
        return Tag.div(.class("gap")) {
            "\(counted(missing, "line is", "lines are")) not shown: "
            Tag.a(.href(.same([("from", "\(from)")], at: "L\(from)"))) { "the next 1,000" }
            ", "
            Tag.a(.href(.same([("all", "1")]))) { "all of them" }
        }
    }

    /// Matching lines, with two around each.
    @HTMLBuilder private func found(_ text: String) -> HTML {
        let wanted = text.lowercased()
        let hits = lines.indices.lazy.filter { StyledLine(lines[$0]).text.lowercased().contains(wanted) }.prefix(
            Self.piece)
        let shown = Set(hits.flatMap { ($0 - 2...$0 + 2) }).filter(lines.indices.contains).sorted()
        if shown.isEmpty {
            Tag.div(.class("gap")) { "No line has '\(printable(text, limit: 100))'." }
        } else {
            for (position, index) in shown.enumerated() {
                if position > 0, shown[position - 1] != index - 1 { Tag.div(.class("gap")) { "…" } }
                line(index)
            }
        }
    }

    private var tools: HTML {
        Tag.div(.class("tools")) {
            if isGrowing { Tag.a(.id("follow"), .class("btn"), .href(.place("follow"))) { "Follow" } }
            Tag.a(.class("btn"), .href(.page(["api", "v1", "builds", id.description, "log"]))) {
                Icon.download.html
                "Log as text"
            }
            Tag.form(.role("search"), .action(BuildPage.page(id))) {
                Tag.label(.class("vh"), .for("lq")) { "Search the log" }
                Tag.input(
                    .id("lq"), .field("log"), .search, .placeholder("Search the log"), .noCompletion,
                    .value(window.search ?? ""))
            }
        }
    }
}
