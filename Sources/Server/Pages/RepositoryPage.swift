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
    let forms: ActionForms
    var result: ActionResult?

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
                Tag.div(.class("acts")) { actions }
            }
            if let result { result.html }
            for reason in RepositoryReasons(status: status, clock: clock).trouble { reason.html }
            facts
            HoldTable(status: status, forms: forms).html
            section("Builds", note: builds.isEmpty ? nil : "the newest first") { buildTable }
            section("Decisions", note: "of the last look") { decisions }
            passedOver
            lastBump
        }
    }

    @HTMLBuilder private var actions: HTML {
        let name = status.repository
        if status.paused == nil {
            forms.html(.sync(name), "Sync now", .sync, "Looks at git and the registries now.")
            if !status.failures.isEmpty {
                forms.html(.retry(name), "Retry", .sync, "Lets all that failed be tried again now.")
            }
            forms.html(
                .pause(name), "Pause", Icon(.paused),
                "No cycle begins until somebody resumes it; a build that runs goes on.", asking: .reason)
        } else {
            forms.html(.resume(name), "Resume", .sync, "Watches the repository again, with a cycle at once.")
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
                if let digest = build.digest { ImageLink.html(digest, of: status.repository) }
            }
        }
    }

    @HTMLBuilder private var decisions: HTML {
        let shown = (report?.decisions ?? []).filter { $0.isPassedOver != true && $0.isHold != true }
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
                            at: "\(update.file):\(update.line)",
                            reason: "\(update.old) → \(update.new): \(update.reason)")
                    }
                    for one in shown.prefix(500) {
                        decision(
                            .ok, word: "left", one.subject,
                            reason: [one.reason, one.remedy].compactMap { $0 }.joined(separator: ". "))
                    }
                    if shown.count + updates.count > 1_000 { Tag.tr { Tag.td { "and more: see the API" } } }
                }
            }
        }
    }

    private func decision(
        _ state: PageState, word: String, _ subject: String, at place: String? = nil, reason: String
    ) -> HTML {
        Tag.tr(.role("row")) {
            Tag.td(.role("cell")) { state.badge(word) }
            Tag.th(.role("rowheader"), .scope("row"), .class("first")) {
                SubjectText.html(subject, of: status.repository)
                if let place {
                    Tag.span(.class("s m")) {
                        Tag.a(.href(PolicyPage.page(status.repository, place))) { place }
                    }
                }
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
