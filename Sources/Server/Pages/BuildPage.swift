import Agent
import Text

/// One build: what is wrong, its steps with their times, and its log.
struct BuildPage: Sendable {
    let overview: AgentOverview
    let build: BuildRecord
    let log: BuildLogView
    let clock: PageClock
    let forms: ActionForms
    var result: ActionResult?

    /// - Parameter done: what a form did, for the page after it.
    static func page(_ id: BuildID, done: ActionResult? = nil) -> Address {
        .page(["builds", id.description], query: done.map { [("done", $0.rawValue)] } ?? [])
    }

    /// What became of a build, in the word of its own.
    static func word(_ build: BuildRecord) -> String {
        switch build.state {
        case .succeeded: "built"
        case .cancelled: "cancelled"
        case .interrupted: "interrupted"
        default: PageState(build).rawValue
        }
    }

    /// Since when it waits or runs, or how long it took.
    @HTMLBuilder static func times(_ build: BuildRecord, _ clock: PageClock) -> HTML {
        if let ended = build.endedAt {
            clock.moment(ended)
            if let started = build.startedAt { ", after \(PageClock.duration(Double(ended - started)))" }
        } else {
            clock.since(build.startedAt ?? build.queuedAt)
        }
    }

    func document() -> HTMLDocument {
        let key = build.description.pipeline
        let name = "\(key.repository) / \(key.pipeline)"
        let path = [
            PageFrame.Crumb(text: key.repository, address: FleetPage.page(key.repository)),
            PageFrame.Crumb(text: key.pipeline, address: nil),
        ]
        let title = "Build of \(name), \(Self.word(build))"
        // What is over does not change any more.
        let events = build.state.isOver ? nil : [("build", build.id.description)]
        return PageFrame(overview: overview, clock: clock, events: events).document(title, path: path) {
            Tag.div(.class("head")) {
                Tag.h1 { name }
                PageState(build).badge(Self.word(build), isBig: true)
                Tag.span(.class("mute")) { Self.times(build, clock) }
                Tag.div(.class("acts")) { actions }
            }
            if let result { result.html }
            if let reason { reason.html }
            facts
            StepTable(build: build, now: clock.now).html
            log.html
            layers
        }
    }

    @HTMLBuilder private var actions: HTML {
        let id = build.id.description
        switch build.state {
        case .queued, .running:
            forms.html(
                .stopBuild(id), "Stop", .stop,
                "Ends the build. The same content is not built again before it changes or somebody retries it.")
        case .failed, .cancelled, .interrupted:
            forms.html(.retryBuild(id), "Retry", .sync, "Lets the same content be built again now.")
        case .succeeded: HTML.nothing
        }
    }

    private var reason: Reason? {
        guard let failure = build.failure else { return nil }
        let said = failure.reason
        let title = (said.place.map { "\($0): " } ?? "") + said.summary
        let meaning =
            failure.kind == .input
            ? "The failure lies in the content: it is not tried again until the content changes or somebody retries."
            : "The failure lies outside of the content: it is tried again by itself."
        return Reason(
            state: PageState(build), title: title,
            text: ([said.cause, said.hint].compactMap { $0 } + [meaning]).joined(separator: "\n"))
    }

    private var facts: HTML {
        Tag.section(.class("card"), .label("Facts")) {
            Tag.dl(.class("facts")) {
                Fact("Commit") { CommitText.html(build.description.revision) }.html
                Fact("Why") { printable(build.description.reason, limit: 500) }.html
                Fact(build.state == .succeeded ? "Image" : "Would become") {
                    for name in build.description.names {
                        Tag.span(.class("m")) { name }
                        " "
                    }
                    if let digest = build.digest { ImageLink.html(digest, of: build.description.pipeline.repository) }
                }.html
                Fact("Build") { Tag.span(.class("m")) { build.id.description } }.html
            }
        }
    }

    @HTMLBuilder private var layers: HTML {
        if !build.layers.isEmpty {
            Tag.section(.labelled(by: "h-layers")) {
                Tag.h2(.id("h-layers")) { "Layers" }
                Tag.table(.class("c"), .role("table"), .labelled(by: "h-layers")) {
                    TableHead(["Digest", "Size", "Made by"]).html
                    Tag.tbody(.role("rowgroup")) {
                        for layer in build.layers.prefix(500) {
                            Tag.tr(.role("row")) {
                                Tag.th(.role("rowheader"), .scope("row"), .class("first")) {
                                    DigestText.html(layer.digest)
                                }
                                Tag.td(.role("cell"), .cellLabel("Size"), .class("nw")) { Self.size(layer.size) }
                                Tag.td(.role("cell"), .cellLabel("Made by"), .class("m s")) {
                                    printable(layer.createdBy ?? "the base", limit: 200)
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// By 1000, with one decimal.
    static func size(_ bytes: Int64) -> String {
        var (number, unit) = (Double(bytes), 0)
        while number >= 999.95, unit < 3 { (number, unit) = (number / 1000, unit + 1) }
        guard unit > 0 else { return "\(bytes) B" }
        let tenths = Int((number * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) \(["B", "kB", "MB", "GB"][unit])"
    }
}

/// The steps of a build, by stage, with bars on a common axis.
struct StepTable: Sendable {
    let build: BuildRecord
    let now: Int64

    var html: HTML {
        Tag.section(.labelled(by: "h-steps")) {
            Tag.div(.class("h")) {
                Tag.h2(.id("h-steps")) { "Steps" }
                Tag.span(.class("s")) { summary }
            }
            if build.steps.isEmpty {
                Tag.p(.class("card mute")) { build.state == .queued ? "The build waits for its turn." : "No step ran." }
            } else {
                Tag.div(.class("steps")) { table }
            }
        }
    }

    private var table: HTML {
        let axis = axis
        let steps = Dictionary(grouping: build.steps, by: \.stage)
        return HTMLBuilder.buildArray(
            stages.map { stage in
                HTMLBuilder.buildArray(
                    [Tag.h3 { stage.isEmpty ? "Steps" : stage }] + (steps[stage] ?? []).map { row($0, on: axis) })
            })
    }

    private var summary: String {
        let done = build.steps.count { $0.seconds != nil }
        return "\(done) done, \(build.steps.count(where: \.isCached)) of them cached"
    }

    /// In the order in which they began.
    private var stages: [String] {
        var seen: Set<String> = []
        return build.steps.map(\.stage).filter { seen.insert($0).inserted }
    }

    /// On which all bars are.
    private var axis: (start: Int64, seconds: Double) {
        let start = build.steps.map(\.startedAt).min() ?? 0
        let end = build.steps.map { Double($0.startedAt - start) + ($0.seconds ?? 0) }.max() ?? 0
        let running = build.state.isOver ? 0 : Double(now - start)
        return (start, max(end, running, 1))
    }

    private func state(_ step: BuildRecord.Step) -> (css: String, word: String, icon: Icon) {
        if step.isCached { return ("cached", "cached", .cached) }
        if step.seconds != nil { return ("ok", "made", Icon(.ok)) }
        switch build.state {
        case .failed: return ("failing", "failed", Icon(.failing))
        case .running: return ("building", "running", Icon(.building))
        default: return ("unknown", "not finished", .waiting)
        }
    }

    private func row(_ step: BuildRecord.Step, on axis: (start: Int64, seconds: Double)) -> HTML {
        let (css, word, icon) = state(step)
        let (start, total) = axis
        let begin = Double(step.startedAt - start)
        let length = step.seconds ?? (build.state.isOver ? 0 : Double(now - step.startedAt))
        return Tag.div(.class("row \(css)")) {
            icon.html
            Tag.span(.class("m mute")) { "\(step.index)/\(step.count)" }
            Tag.span(.class("m ins"), .title(step.text)) { printable(step.text, limit: 400) }
            Tag.span(.class("s mute")) { word }
            Tag.span(.class("s nw")) { step.seconds == nil && build.state.isOver ? "–" : PageClock.duration(length) }
            Tag.svg(.class("bar"), .hidden) {
                Tag.rect(.class("t"), .width(100))
                Tag.rect(
                    .class(css), .x(begin / total * 100),
                    .width(max(0.6, min(length / total * 100, 100 - begin / total * 100))))
            }
        }
    }
}
