import Agent
import Text

/// One build: what is wrong, its steps with their times, and its log.
struct BuildPage: Sendable {
    let overview: AgentOverview
    let build: BuildRecord
    let logs: StepLogs
    let window: LogWindow
    let clock: PageClock
    let forms: ActionForms
    var result: ActionResult?
    /// Of a build that failed: the last one of its pipeline that did not.
    var lastGood: BuildRecord?

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
            StepTable(build: build, logs: logs, window: window, now: clock.now).html
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
            text: ([said.cause, said.hint].compactMap { $0 } + [meaning]).joined(separator: "\n"), times: history)
    }

    /// Where it failed, how often, since when, and what was well before.
    @HTMLBuilder private var history: HTML {
        let step = build.steps.firstIndex { $0.seconds == nil && !$0.isCached }.map { $0 + 1 } ?? 0
        let last = logs.count(of: step)
        if last > 0 {
            Tag.a(.href(.place("\(step):\(last)"))) { "The end of its output" }
            ". "
        }
        if let record = overview.failures.first(where: { $0.key == build.description.pipeline }) {
            "Tried \(counted(record.attempts, "time", "times")), first "
            clock.moment(record.firstAt)
            if let next = record.nextAt {
                ", next "
                clock.moment(next)
            }
            ". "
        }
        if let lastGood {
            "The last good build is "
            Tag.a(.href(BuildPage.page(lastGood.id))) { lastGood.id.description }
            if let ended = lastGood.endedAt {
                ", "
                clock.moment(ended)
            }
            "."
        }
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
