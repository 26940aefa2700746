import Agent
import Text

/// What is around the content of each page: the header with search and queue, the path, the footer.
struct PageFrame: Sendable {
    /// A place on the way to the page; the last one is the page itself.
    struct Crumb: Sendable {
        let text: String
        let address: Address?
    }

    let overview: AgentOverview
    let clock: PageClock
    /// Which events change the page: fields of the query of `/api/v1/events`. `nil`: none does.
    var events: [(String, String)]?
    /// What was searched for.
    var search = ""

    func document(_ title: String, path: [Crumb] = [], @HTMLBuilder content: () -> HTML) -> HTMLDocument {
        HTMLDocument(
            Tag.html(.lang("en"), .now(UTCDate(secondsSince1970: clock.now).rfc3339)) {
                Tag.head {
                    Tag.meta(.charset("utf-8"))
                    Tag.meta(.meta("viewport"), .content("width=device-width,initial-scale=1"))
                    Tag.title { "\(title) · Slipway" }
                    Tag.link(.rel("icon"), .href(Asset.icon.address))
                    Tag.link(.rel("stylesheet"), .href(Asset.styleSheet.address))
                    Tag.script(.src(Asset.script.address), .defer)
                }
                Tag.body(events.map { .live(.page(["api", "v1", "events"], query: $0)) }) {
                    Icon.symbols
                    Tag.a(.class("skip"), .href(.place("main"))) { "Skip to content" }
                    header
                    Tag.main(.id("main")) {
                        crumbs(path)
                        content()
                    }
                    footer
                }
            })
    }

    private var header: HTML {
        Tag.header(.class("top")) {
            Tag.div {
                Tag.a(.class("brand"), .href(.page())) {
                    Icon.brand
                    "Slipway "
                    Tag.span { overview.version }
                }
                Tag.form(.role("search"), .action(.page(["search"]))) {
                    Tag.label(.class("vh"), .for("q")) { "Search repositories, builds, commits, tags and digests" }
                    Tag.input(
                        .id("q"), .field("q"), .search, .placeholder("Repository, commit, tag or digest"),
                        .noCompletion,
                        .shortcut("/"), .value(search))
                }
                Tag.dl {
                    Tag.div {
                        Tag.dt { "Queue" }
                        Tag.dd(.id("queue")) { Tag.a(.href(.page(at: "queue-list"))) { queueText } }
                    }
                    if let isolation = overview.isolation {
                        Tag.div {
                            Tag.dt { "Isolation" }
                            Tag.dd(.title("How RUN steps are isolated")) { isolation }
                        }
                    }
                    if let start = overview.startedAt {
                        Tag.div {
                            Tag.dt { "Running" }
                            Tag.dd { clock.since(start) }
                        }
                    }
                }
            }
        }
    }

    private var queueText: String {
        let running = overview.queue.count { $0.state == .running }
        return "\(running) building, \(overview.queue.count - running) waiting"
    }

    @HTMLBuilder private func crumbs(_ path: [Crumb]) -> HTML {
        if !path.isEmpty {
            Tag.nav(.label("Path")) {
                Tag.ol(.class("crumbs")) {
                    Tag.li { Tag.a(.href(.page())) { "Repositories" } }
                    for crumb in path {
                        if let address = crumb.address {
                            Tag.li { Tag.a(.href(address)) { crumb.text } }
                        } else {
                            Tag.li(.current("page")) { crumb.text }
                        }
                    }
                }
            }
        }
    }

    private var footer: HTML {
        Tag.footer {
            Tag.span { "Slipway \(overview.version)" }
            Tag.a(.href(.page(["api", "v1", "status"]))) { "API" }
            Tag.a(.href(.page(["metrics"]))) { "Metrics" }
            Tag.span {
                "Times are relative; point at one for the exact time."
                    + (events == nil ? " Reload the page for news." : "")
            }
            Tag.span(.id("live"), .role("status"))
        }
    }
}

/// What happened, what it means, and what to do: at a page's top, and in tables.
struct Reason: Sendable {
    let state: PageState
    /// What happened.
    let title: String
    /// What it means, and the remedy.
    var text: String?
    /// Attempts and times.
    var times: HTML = .nothing

    var html: HTML {
        Tag.div(.class("why \(state.rawValue)")) {
            Tag.p(.class("b")) { Self.cut(title, 500) }
            if let text, !text.isEmpty { Tag.p { Self.cut(text, 2_000) } }
            if !times.bytes.isEmpty { Tag.p(.class("s mute")) { times } }
        }
    }

    private static func cut(_ text: String, _ limit: Int) -> String {
        text.count > limit ? text.prefix(limit) + "…" : text
    }
}
