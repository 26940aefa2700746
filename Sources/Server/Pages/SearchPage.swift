import Agent
import Text

/// What a search found, where it found more or less than one thing.
struct SearchPage: Sendable {
    let overview: AgentOverview
    let text: String
    let hits: [SearchHit]
    let clock: PageClock

    func document() -> HTMLDocument {
        var frame = PageFrame(overview: overview, clock: clock)
        frame.search = text
        let path = [PageFrame.Crumb(text: "search", address: nil)]
        return frame.document("Search", path: path) {
            Tag.div {
                Tag.div(.class("head")) { Tag.h1 { "Search" } }
                Tag.p(.class("mute pad"), .role("status")) { summary }
            }
            if hits.isEmpty { empty } else { SearchHits(title: "Found", hits: hits).html }
        }
    }

    private var summary: String {
        let shown = printable(text, limit: 100)
        if text.isEmpty {
            return "Type a part of a repository's name, or the beginning of a commit, tag, digest or build."
        }
        if hits.isEmpty { return "Nothing is called '\(shown)'." }
        let more = hits.count == Search.hitLimit ? "The first " : ""
        return "\(more)\(counted(hits.count, "thing is", "things are")) called '\(shown)'."
    }

    private var empty: HTML {
        Tag.div(.class("card empty")) {
            Tag.p {
                "Repositories are found by a part of their names or addresses; builds, commits, tags and digests by how they begin, as far as "
                    + "history has them. "
                Tag.a(.href(.page())) { "Show all repositories" }
            }
        }
    }
}

/// Hits as a list of links.
struct SearchHits: Sendable {
    let title: String
    let hits: [SearchHit]

    var html: HTML {
        Tag.section(.labelled(by: "h-hits")) {
            Tag.h2(.id("h-hits")) { title }
            Tag.ul(.class("card q")) {
                for hit in hits {
                    Tag.li {
                        Tag.span(.class("mute")) { "\(hit.kind.rawValue) " }
                        Tag.a(.class(hit.kind == .repository ? "b" : "m"), .href(hit.address)) {
                            printable(hit.text, limit: 200)
                        }
                        Tag.span(.class("s mute")) { " \(printable(hit.note))" }
                    }
                }
            }
        }
    }
}
