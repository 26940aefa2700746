import Agent
import Text

/// One repository: what is wrong, what people hold, how commits became images and images commits, and who decides about which place.
struct RepositoryPage: Sendable {
    let overview: AgentOverview
    let status: RepositoryStatus
    /// `nil` before the first cycle.
    let report: CycleReport?
    let timeline: Timeline
    let clock: PageClock
    let forms: ActionForms
    var result: ActionResult?
    /// Who decides about which place; `nil`: not known within a moment.
    var places: [Explanation]?

    /// What the cluster runs; `nil` where the agent has to do with none.
    var running: RunningWorkloads?

    private var workloads: WorkloadTable {
        WorkloadTable(repository: status.repository, places: places, running: running, clock: clock)
    }

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
            section("Timeline", note: timeline.builds.isEmpty ? nil : "the newest build first") { timeline.html(clock) }
            workloads.html
            decisions
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
                if let interval = status.interval {
                    Fact("Interval") { PageClock.duration(Double(interval)) }.html
                }
            }
        }
    }

    @HTMLBuilder private func time(_ time: Int64?) -> HTML { if let time { clock.moment(time) } else { "not yet" } }

    /// What the last cycle did, and decided about what is no place of a manifest.
    @HTMLBuilder private var decisions: HTML {
        let known = Set((places ?? []).map(\.subject))
        let shown = (report?.decisions ?? []).filter {
            $0.isPassedOver != true && $0.isHold != true && !known.contains($0.subject)
        }
        let updates = report?.updates ?? []
        if !shown.isEmpty || !updates.isEmpty {
            section("Decisions", note: "of the last look") {
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
        } else if report == nil {
            section("Decisions") { Tag.p(.class("card mute")) { "Not looked at yet." } }
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
        let unfollowed = workloads.unfollowed
        if !status.passedOver.isEmpty || !unfollowed.isEmpty {
            section("Seen and not followed") {
                Tag.ul(.class("card")) {
                    for one in status.passedOver { seen(one.subject, one.reason, one.remedy) }
                    for one in unfollowed.prefix(200) { seen(one.subject, one.reason, one.remedy) }
                    if unfollowed.count > 200 { Tag.li { "and \(unfollowed.count - 200) more" } }
                }
            }
        }
    }

    private func seen(_ subject: String, _ reason: String, _ remedy: String?) -> HTML {
        Tag.li {
            Tag.span(.class("m")) { SubjectText.html(subject, of: status.repository) }
            " · " + [reason, remedy].compactMap { $0 }.map { printable($0, limit: 1_000) }.joined(separator: ". ")
        }
    }

    @HTMLBuilder private var lastBump: HTML {
        if let commit = status.lastCommit {
            section("Last bump", note: "\(commit.commit.prefix(7)) on \(commit.branch)") {
                Tag.pre(.selectable, .role("region"), .label("The commit's message")) {
                    String(commit.message.prefix(4_000))
                }
                if let diff = report?.diff, report?.commit == commit.commit {
                    DiffView(text: diff).html
                } else if let cycle = timeline.cycles.first(where: {
                    $0.commits.contains { $0.commit == commit.commit }
                }) {
                    ChangeView(updates: cycle.updates).html
                }
            }
        }
    }
}
