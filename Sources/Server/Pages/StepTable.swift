import Agent
import Text

/// The steps of a build by their stages, with bars on one axis. Each unfolds what it said; those that run or failed are open.
struct StepTable: Sendable {
    let build: BuildRecord
    let logs: StepLogs
    let window: LogWindow
    let now: Int64

    private struct Row {
        /// Counted over all stages, from 1.
        let number: Int
        let step: BuildRecord.Step
    }

    var html: HTML {
        Tag.section(.labelled(by: "h-steps")) {
            Tag.div(.class("h")) {
                Tag.h2(.id("h-steps")) { "Steps" }
                Tag.span(.class("s")) { summary }
            }
            if let search = window.search { Tag.p(.class("pad"), .role("status")) { results(search) } }
            Tag.div(.class("steps")) {
                if build.steps.isEmpty {
                    Tag.p(.class("note")) { build.state == .queued ? "The build waits for its turn." : "No step ran." }
                } else {
                    axisRow
                    for stage in stages { self.stage(stage) }
                }
                if logs.count(of: 0) > 0 { messages }
            }
            if logs.isEmpty {
                Tag.p(.class("s mute pad")) {
                    build.state.isOver ? "The output is no longer kept, or there was none." : "No output yet."
                }
            }
            tools
        }
    }

    private var summary: String {
        let done = build.steps.count { $0.seconds != nil }
        return "\(done) done, \(build.steps.count(where: \.isCached)) of them cached"
            + (logs.isComplete ? "" : "; the log is longer than a page reads")
    }

    private func results(_ search: String) -> HTML {
        let count = (0...build.steps.count).reduce(0) {
            $0 + logs.lines(of: $1, with: search, limit: LogWindow.pieceSize).count
        }
        return HTML(
            count == 0
                ? "No line has '\(printable(search, limit: 100))'. "
                : "\(counted(count, "line has", "lines have")) '\(printable(search, limit: 100))'. ")
            + Tag.a(.href(BuildPage.page(build.id))) { "Show the steps" }
    }

    // MARK: Rows

    /// In the order in which they began.
    private var stages: [(name: String, rows: [Row])] {
        var order: [String] = []
        var rows: [String: [Row]] = [:]
        for (index, step) in build.steps.enumerated() {
            if rows[step.stage] == nil { order.append(step.stage) }
            rows[step.stage, default: []].append(Row(number: index + 1, step: step))
        }
        return order.map { ($0, rows[$0] ?? []) }
    }

    @HTMLBuilder private func stage(_ stage: (name: String, rows: [Row])) -> HTML {
        let count = stage.rows.map(\.step.count).max() ?? 0
        Tag.h3 {
            stage.name.isEmpty ? "Steps" : stage.name
            " "
            Tag.span(.class("mute")) { counted(count, "step", "steps") }
        }
        for row in stage.rows { self.row(row) }
        if let last = stage.rows.map(\.step.index).max(), last < count { rest(last + 1, count) }
    }

    /// What of a stage has not begun.
    private func rest(_ first: Int, _ count: Int) -> HTML {
        Tag.div(.class("row unknown")) {
            Icon.waiting.html
            Tag.span(.class("m mute")) { first == count ? "\(count)/\(count)" : "\(first)–\(count)" }
            Tag.span(.class("mute")) { first == count ? "the last step" : "\(count - first + 1) more steps" }
            Tag.span(.class("s mute")) { build.state.isOver ? "not run" : "waiting" }
            Tag.span(.class("s")) { "–" }
        }
    }

    private static func word(_ step: BuildRecord.Step, in build: BuildRecord) -> (css: String, word: String, icon: Icon)
    {
        if step.isCached { return ("cached", "cached", .cached) }
        if step.seconds != nil { return ("ok", "made", Icon(.ok)) }
        switch build.state {
        case .failed: return ("failing", "failed", Icon(.failing))
        case .running: return ("building", "running", Icon(.building))
        default: return ("unknown", "not finished", .waiting)
        }
    }

    private func row(_ row: Row) -> HTML {
        let step = row.step
        let (css, word, icon) = Self.word(step, in: build)
        let begin = Double(step.startedAt - axis.start)
        let length = step.seconds ?? (build.state.isOver ? 0 : Double(now - step.startedAt))
        return Tag.details(
            .class("step \(css)"), .id("\(row.number)"), isOpen(row.number, css) ? .open : nil
        ) {
            Tag.summary(.class("row \(css)")) {
                icon.html
                Tag.span(.class("m mute")) { "\(step.index)/\(step.count)" }
                Tag.span(.class("m ins"), .title(step.text)) { printable(step.text, limit: 400) }
                Tag.span(.class("s mute ins"), .title(step.why ?? word)) {
                    word + (step.why.map { ": \(printable($0))" } ?? "")
                }
                Tag.span(.class("s nw")) {
                    step.seconds == nil && build.state.isOver ? "–" : PageClock.duration(length)
                }
                bar(css, begin, length)
            }
            output(row.number, word)
        }
    }

    private func bar(_ css: String, _ begin: Double, _ length: Double) -> HTML {
        let from = begin / axis.seconds * 100
        return Tag.svg(.class("bar"), .hidden) {
            Tag.rect(.class("t"), .width(100))
            Tag.rect(.class(css), .x(from), .width(max(0.6, min(length / axis.seconds * 100, 100 - from))))
        }
    }

    @HTMLBuilder private func output(_ number: Int, _ word: String) -> HTML {
        if logs.count(of: number) > 0 {
            StepOutput(logs: logs, step: number, window: window).html
        } else {
            Tag.p(.class("note")) {
                if logs.isEmpty, build.state.isOver {
                    "The output of this step is no longer kept."
                } else if word == "running" {
                    "No output yet."
                } else {
                    word == "cached" ? "Found in the cache." : "No output."
                }
            }
        }
    }

    /// What the build says of itself: its bases, what it pushes, and why it failed.
    private var messages: HTML {
        let isOpen =
            isOpen(0, "") || build.steps.isEmpty
            || build.state == .failed && build.steps.allSatisfy { $0.seconds != nil }
        return HTMLBuilder.buildBlock(
            Tag.h3 { "The build itself" },
            Tag.details(.class("step"), .id("0"), isOpen ? .open : nil) {
                Tag.summary(.class("row")) {
                    Icon.waiting.html
                    Tag.span()
                    Tag.span { counted(logs.count(of: 0), "message", "messages") }
                }
                StepOutput(logs: logs, step: 0, window: window).html
            })
    }

    private func isOpen(_ number: Int, _ css: String) -> Bool {
        if let search = window.search { return !logs.lines(of: number, with: search, limit: 1).isEmpty }
        return css == "failing" || css == "building" || window.isWhole || window.piece?.step == number
    }

    // MARK: Axis and tools

    /// On which all bars are.
    private var axis: (start: Int64, seconds: Double) {
        let start = build.steps.map(\.startedAt).min() ?? 0
        let end = build.steps.map { Double($0.startedAt - start) + ($0.seconds ?? 0) }.max() ?? 0
        let running = build.state.isOver ? 0 : Double(now - start)
        return (start, max(end, running, 1))
    }

    private var axisRow: HTML {
        Tag.div(.class("row axis s mute"), .hidden) {
            Tag.span()
            Tag.span()
            Tag.span()
            Tag.span()
            Tag.span()
            Tag.span(.class("h")) {
                Tag.span { "0 s" }
                Tag.span { PageClock.duration(axis.seconds) }
            }
        }
    }

    private var tools: HTML {
        Tag.div(.class("tools")) {
            if !build.state.isOver { Tag.a(.id("follow"), .class("btn"), .href(.place("follow"))) { "Follow" } }
            Tag.a(.class("btn"), .href(.page(["api", "v1", "builds", build.id.description, "log"]))) {
                Icon.download.html
                "Whole log"
            }
            Tag.form(.role("search"), .action(BuildPage.page(build.id))) {
                Tag.label(.class("vh"), .for("lq")) { "Search the log" }
                Tag.input(
                    .id("lq"), .field("log"), .search, .placeholder("Search the log"), .noCompletion,
                    .value(window.search ?? ""))
            }
        }
    }
}
