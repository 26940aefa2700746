import Agent

/// All repositories, those that need attention first, and the queue.
struct FleetPage: Sendable {
    let overview: AgentOverview
    let clock: PageClock
    let request: ServerRequest

    private struct Row {
        let status: RepositoryStatus
        let state: PageState
    }

    private static let pageSize = 100

    func document() -> HTMLDocument {
        let all = rows()
        let state = request.query["state"].flatMap(PageState.init(rawValue:))
        let text = (request.query["q"] ?? "").lowercased()
        let chosen = all.filter { row in
            (state == nil || row.state == state)
                && (text.isEmpty || "\(row.status.repository) \(row.status.url)".lowercased().contains(text))
        }
        return PageFrame(overview: overview, clock: clock, events: []).document("Repositories") {
            Tag.div {
                Tag.div(.class("head")) { Tag.h1 { "Repositories" } }
                Tag.p(.class("mute pad")) { summary(all) }
            }
            if all.isEmpty {
                Tag.div(.class("card empty")) {
                    Tag.p { "No repository is configured." }
                    Tag.p {
                        "Add one below "
                        Tag.code { "repositories:" }
                        " in the agent's configuration; it is read again when the file changes."
                    }
                }
            } else {
                filter(all, state)
                Tag.div(.class("two")) {
                    list(chosen)
                    queue
                }
            }
        }
    }

    private func rows() -> [Row] {
        let queues = Dictionary(grouping: overview.queue, by: \.repository)
        return overview.repositories.map { Row(status: $0, state: PageState($0, queue: queues[$0.repository] ?? [])) }
            .sorted { ($0.state.rank, $0.status.repository) < ($1.state.rank, $1.status.repository) }
    }

    @HTMLBuilder private func summary(_ rows: [Row]) -> HTML {
        let troubled = rows.filter(\.state.needsAttention)
        counted(rows.count, "repository", "repositories") + ". "
        if troubled.isEmpty {
            "None needs attention."
        } else {
            "\(troubled.count) \(troubled.count == 1 ? "needs" : "need") attention: "
            for (index, row) in troubled.prefix(10).enumerated() {
                if index > 0 { ", " }
                Tag.a(.href(Self.page(row.status.repository))) { row.status.repository }
            }
            troubled.count > 10 ? ", …" : "."
        }
    }

    private func filter(_ rows: [Row], _ chosen: PageState?) -> HTML {
        Tag.nav(.label("Filter by state")) {
            Tag.ul(.class("chips")) {
                Tag.li {
                    Tag.a(.href(.page()), chosen == nil ? .current("true") : nil) {
                        "All "
                        Tag.span(.class("mute")) { "\(rows.count)" }
                    }
                }
                for state in PageState.allCases {
                    let count = rows.count { $0.state == state }
                    if count > 0 {
                        Tag.li {
                            Tag.a(
                                .class(state.rawValue), .href(.page(query: [("state", state.rawValue)])),
                                chosen == state ? .current("true") : nil
                            ) {
                                Icon(state).html
                                "\(state.rawValue) "
                                Tag.span(.class("mute")) { "\(count)" }
                            }
                        }
                    }
                }
            }
        }
    }

    private static let columns = ["State", "Repository", "Head", "Last image", "Last bump", "Next look"]

    private func list(_ rows: [Row]) -> HTML {
        let number = min(max(1, request.query["page"].flatMap(Int.init) ?? 1), 1 << 20)
        let shown = rows.dropFirst((number - 1) * Self.pageSize).prefix(Self.pageSize)
        return Tag.section(.labelled(by: "h-list")) {
            Tag.h2(.id("h-list"), .class("vh")) { "List of repositories" }
            if shown.isEmpty {
                Tag.div(.class("card empty")) {
                    "No repository matches. "
                    Tag.a(.href(.page())) { "Show all of them" }
                }
            } else {
                Tag.table(.class("c"), .role("table"), .labelled(by: "h-list")) {
                    TableHead(Self.columns).html
                    for row in shown { self.row(row) }
                }
            }
            if rows.count > Self.pageSize { pages(rows.count, number) }
        }
    }

    private func pages(_ count: Int, _ number: Int) -> HTML {
        let kept = ["q", "state"].compactMap { name in request.query[name].map { (name, $0) } }
        return Tag.nav(.class("pad"), .label("Pages")) {
            for page in 1...((count - 1) / Self.pageSize + 1) {
                Tag.a(
                    .class("btn"), .href(.page(query: kept + [("page", "\(page)")])),
                    page == number ? .current("page") : nil
                ) { "\(page)" }
                " "
            }
        }
    }

    /// - Parameter done: what a form did, for the page after it.
    static func page(_ repository: String, done: ActionResult? = nil) -> Address {
        .page(["repositories", repository], query: done.map { [("done", $0.rawValue)] } ?? [])
    }

    private func row(_ row: Row) -> HTML {
        let status = row.status
        return Tag.tbody(.id("r-\(status.repository)"), .role("rowgroup")) {
            Tag.tr(.role("row")) {
                Tag.td(.role("cell")) {
                    row.state.badge()
                    " "
                    Tag.span(.class("s")) { clock.since(status.since) }
                }
                Tag.th(.role("rowheader"), .scope("row"), .class("first")) {
                    Tag.a(.href(Self.page(status.repository))) { status.repository }
                    Tag.span(.class("s")) { status.url }
                }
                Tag.td(.role("cell"), .cellLabel("Head")) {
                    Tag.span(.class("m")) { status.head.map { String($0.prefix(7)) } ?? "–" }
                    " "
                    Tag.span(.class("mute")) { status.branch }
                }
                Tag.td(.role("cell"), .cellLabel("Last image")) { image(status) }
                Tag.td(.role("cell"), .cellLabel("Last bump")) {
                    Tag.span(.class("m")) { status.lastCommit.map { String($0.commit.prefix(7)) } ?? "–" }
                    Tag.span(.class("s cut")) { status.lastCommit?.message.firstLine ?? "" }
                }
                Tag.td(.role("cell"), .cellLabel("Next look"), .class("nw")) {
                    if let next = status.nextAttempt { clock.moment(next) } else { "now" }
                }
            }
            if let reason = RepositoryReasons(status: status, clock: clock).all.first {
                Tag.tr(.class("r"), .role("row")) {
                    Tag.td(.role("cell"))
                    Tag.td(.role("cell"), .columns(Self.columns.count - 1)) { reason.html }
                }
            }
        }
    }

    @HTMLBuilder private func image(_ status: RepositoryStatus) -> HTML {
        if let image = status.lastImages.last, let reference = image.references.first {
            Tag.a(.class("m"), .title(reference), .href(ImagePage.page(image.digest, of: status.repository))) {
                String(reference.split(separator: "/").last ?? "")
            }
        } else {
            "–"
        }
    }

    /// Leads to its log, which is followed there.
    private static func page(of build: AgentOverview.Build) -> Address {
        guard let id = build.build else { return page(build.repository) }
        return .page(["builds", id], at: "follow")
    }

    private var queue: HTML {
        Tag.section(.labelled(by: "queue-list")) {
            Tag.h2(.id("queue-list")) { "Queue" }
            if overview.queue.isEmpty {
                Tag.p(.class("card mute")) { "Nothing is being built, and nothing waits." }
            } else {
                Tag.ol(.class("card q")) {
                    for build in overview.queue.prefix(50) {
                        Tag.li {
                            Tag.div(.class("h")) {
                                Tag.a(.class("b"), .href(Self.page(of: build))) {
                                    "\(build.repository) / \(build.pipeline)"
                                }
                                Tag.span(.class("s nw")) {
                                    (build.state == .running ? PageState.building : .queued).badge()
                                    " "
                                    clock.since(build.since)
                                }
                            }
                        }
                    }
                    if overview.queue.count > 50 { Tag.li { "and \(overview.queue.count - 50) more" } }
                }
            }
        }
    }
}
