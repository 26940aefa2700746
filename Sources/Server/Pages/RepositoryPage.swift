import Agent
import Text

/// One repository: what is wrong, what people hold, its builds, and the decisions of the last cycle.
struct RepositoryPage: Sendable {
    let overview: AgentOverview
    let status: RepositoryStatus
    /// The newest first.
    let builds: [BuildRecord]
    /// `nil` before the first cycle.
    let report: CycleReport?
    let clock: PageClock

    private var state: PageState {
        PageState(status, queue: overview.queue.filter { $0.repository == status.repository })
    }

    func document() -> HTMLDocument {
        let path = [PageFrame.Crumb(text: status.repository, address: nil)]
        let title = "\(status.repository), \(state.rawValue)"
        let events = [("repository", status.repository)]
        return PageFrame(overview: overview, clock: clock, events: events).document(title, path: path) {
            Tag.div(.class("head")) {
                Tag.h1 { status.repository }
                state.badge(isBig: true)
                Tag.span(.class("mute")) { clock.since(status.since) }
            }
            for reason in RepositoryReasons(status: status, clock: clock).all { reason.html }
            facts
            section("Builds", note: builds.isEmpty ? nil : "the newest first") { buildTable }
            section("Decisions", note: "of the last look") { decisions }
            passedOver
            lastBump
        }
    }

    private func section(_ title: String, note: String? = nil, @HTMLBuilder _ content: () -> HTML) -> HTML {
        let id = "h-" + title.lowercased().split(separator: " ").joined(separator: "-")
        return Tag.section(.labelled(by: id)) {
            Tag.div(.class("h")) {
                Tag.h2(.id(id)) { title }
                if let note { Tag.span(.class("s")) { note } }
            }
            content()
        }
    }

    private var facts: HTML {
        Tag.section(.class("card"), .label("Facts")) {
            Tag.dl(.class("facts")) {
                Fact("Source", isWide: true) {
                    Tag.span(.class("m")) { status.url }
                    ", branch "
                    Tag.span(.class("m")) { status.branch }
                }.html
                Fact("Head") { CommitText.html(status.head) }.html
                Fact("Last look") { time(status.lastCycle) }.html
                Fact("Last success") { time(status.lastSuccess) }.html
                Fact("Next look") {
                    if let next = status.nextAttempt {
                        clock.moment(next)
                    } else {
                        status.paused == nil ? "now" : "when it is resumed"
                    }
                }.html
            }
        }
    }

    @HTMLBuilder private func time(_ time: Int64?) -> HTML { if let time { clock.moment(time) } else { "not yet" } }

    @HTMLBuilder private var buildTable: HTML {
        if builds.isEmpty {
            Tag.p(.class("card mute")) {
                "No build yet. A build begins when a Dockerfile or its context changes: "
                Tag.code { "builds:" }
                " in "
                Tag.code { ".slipway.yaml" }
                " names them, and kaniko Jobs in the repository are found."
            }
        } else {
            Tag.table(.class("c"), .role("table"), .labelled(by: "h-builds")) {
                TableHead(["State", "Pipeline", "Commit", "Why", "Image"]).html
                Tag.tbody(.role("rowgroup")) { for build in builds { row(build) } }
            }
        }
    }

    private func row(_ build: BuildRecord) -> HTML {
        Tag.tr(.role("row")) {
            Tag.td(.role("cell")) {
                PageState(build).badge(BuildPage.word(build))
                Tag.span(.class("s")) { BuildPage.times(build, clock) }
            }
            Tag.th(.role("rowheader"), .scope("row"), .class("first")) {
                Tag.a(.href(BuildPage.page(build.id))) { build.description.pipeline.pipeline }
            }
            Tag.td(.role("cell"), .cellLabel("Commit")) { CommitText.html(build.description.revision) }
            Tag.td(.role("cell"), .cellLabel("Why"), .class("s")) {
                build.failure.map { printable($0.reason.summary) } ?? printable(build.description.reason)
            }
            Tag.td(.role("cell"), .cellLabel("Image")) {
                for name in build.description.names.prefix(3) {
                    Tag.span(.class("m"), .title(name)) { String(name.split(separator: "/").last ?? "") }
                    " "
                }
                if let digest = build.digest { DigestText.html(digest) }
            }
        }
    }

    @HTMLBuilder private var decisions: HTML {
        let shown = (report?.decisions ?? []).filter { $0.isPassedOver != true }
        let updates = report?.updates ?? []
        if shown.isEmpty && updates.isEmpty {
            Tag.p(.class("card mute")) { report == nil ? "Not looked at yet." : "Nothing was to be decided." }
        } else {
            Tag.table(.class("c"), .role("table"), .labelled(by: "h-decisions")) {
                TableHead(["State", "What", "Reason"]).html
                Tag.tbody(.role("rowgroup")) {
                    for update in updates.prefix(500) {
                        decision(
                            .ok, word: "updated", "\(update.workload) \(update.container)",
                            place: "\(update.file):\(update.line)",
                            reason: "\(update.old) → \(update.new): \(update.reason)")
                    }
                    for one in shown.prefix(500) {
                        decision(
                            one.isHold == true ? .held : .ok, word: one.isHold == true ? "held" : "left", one.subject,
                            reason: [one.reason, one.remedy].compactMap { $0 }.joined(separator: ". "))
                    }
                    if shown.count + updates.count > 1_000 { Tag.tr { Tag.td { "and more: see the API" } } }
                }
            }
        }
    }

    private func decision(
        _ state: PageState, word: String, _ subject: String, place: String? = nil, reason: String
    ) -> HTML {
        Tag.tr(.role("row")) {
            Tag.td(.role("cell")) { state.badge(word) }
            Tag.th(.role("rowheader"), .scope("row"), .class("first")) {
                subject
                if let place { Tag.span(.class("s m")) { place } }
            }
            Tag.td(.role("cell"), .cellLabel("Reason")) { printable(reason, limit: 1_000) }
        }
    }

    @HTMLBuilder private var passedOver: HTML {
        if !status.passedOver.isEmpty {
            section("Seen and not followed") {
                Tag.ul(.class("card")) {
                    for one in status.passedOver {
                        Tag.li {
                            Tag.span(.class("m")) { one.subject }
                            " · \(printable(one.reason, limit: 1_000))"
                        }
                    }
                }
            }
        }
    }

    @HTMLBuilder private var lastBump: HTML {
        if let commit = status.lastCommit {
            section("Last bump", note: "\(commit.commit.prefix(7)) on \(commit.branch)") {
                Tag.pre(.selectable, .role("region"), .label("The commit's message")) {
                    String(commit.message.prefix(4_000))
                }
                if let diff = report?.diff, report?.commit == commit.commit { DiffView(text: diff).html }
            }
        }
    }
}

/// One fact of a card: a label above its value.
struct Fact {
    private let label: String
    private let isWide: Bool
    private let value: HTML

    init(_ label: String, isWide: Bool = false, @HTMLBuilder value: () -> HTML) {
        self.label = label
        self.isWide = isWide
        self.value = value()
    }

    var html: HTML {
        Tag.div(isWide ? .class("wide") : nil) {
            Tag.dt { label }
            Tag.dd { value }
        }
    }
}

/// Commits by their first seven digits, with a button that copies the whole.
enum CommitText {
    @HTMLBuilder static func html(_ commit: String?) -> HTML {
        if let commit {
            Tag.span(.class("m"), .title(commit)) { String(commit.prefix(7)) }
            CopyButton.html(commit, what: "commit")
        } else {
            "–"
        }
    }
}

/// Digests by their first twelve digits.
enum DigestText {
    @HTMLBuilder static func html(_ digest: String) -> HTML {
        let digits = digest.split(separator: ":").last ?? ""
        Tag.span(.class("m s"), .title(digest)) { "sha256:\(digits.prefix(12))…" }
        CopyButton.html(digest, what: "digest")
    }
}

enum CopyButton {
    static func html(_ text: String, what: String) -> HTML {
        Tag.button(.class("copy"), .copies(text), .label("Copy the \(what)"), .title("Copy the \(what)")) {
            Icon.copy.html
        }
    }
}

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
