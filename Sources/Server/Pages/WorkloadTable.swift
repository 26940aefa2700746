import Agent
import Text

/// The places of a repository's manifests that something decides about: what they say, what may be written, and why.
struct WorkloadTable: Sendable {
    let repository: String
    /// `nil`: not known within a moment.
    let places: [Explanation]?
    let running: RunningWorkloads?
    let clock: PageClock

    private static let limit = 500

    private var followed: [Explanation] { (places ?? []).filter(\.isFollowed) }

    /// Those that nothing decides about.
    var unfollowed: [Explanation] { (places ?? []).filter { !$0.isFollowed } }

    var html: HTML {
        Tag.section(.labelled(by: "h-workloads")) {
            Tag.div(.class("h")) {
                Tag.h2(.id("h-workloads")) { "Workloads" }
                if places != nil {
                    Tag.span(.class("s")) { "\(followed.count) followed, \(unfollowed.count) not" }
                }
            }
            ClusterNote.html(running, clock)
            if places == nil {
                Reason(
                    state: .unknown, title: "The workloads are not known yet.",
                    text: "The agent reads the manifests and asks the registries. Reload the page in a moment."
                ).html
            } else if followed.isEmpty {
                Tag.p(.class("card mute")) {
                    "No workload is followed. Annotate one with "
                    Tag.code { "slipway.dev/automated: \"true\"" }
                    " to have the agent write new images into it."
                }
            } else {
                table
            }
        }
    }

    private var table: HTML {
        HTMLBuilder.buildBlock(
            Tag.table(.class("c"), .role("table"), .labelled(by: "h-workloads")) {
                TableHead(["Workload", "State", "Running", "Policy", "Candidate", "Reason"]).html
                Tag.tbody(.role("rowgroup")) { for place in followed.prefix(Self.limit) { row(place) } }
            },
            followed.count > Self.limit
                ? Tag.p(.class("s pad")) { "and \(followed.count - Self.limit) more: see the API" } : .nothing)
    }

    private func row(_ place: Explanation) -> HTML {
        let words = place.subject.split(separator: " ", maxSplits: 2).map(String.init)
        return Tag.tr(.role("row")) {
            Tag.th(.role("rowheader"), .scope("row"), .class("first")) {
                if words.count > 1, let address = PolicyPage.page(repository, subject: place.subject) {
                    Tag.a(.href(address)) { words[1] }
                    if words.count > 2 { Tag.span(.class("mute")) { " \(words[2])" } }
                    Tag.span(.class("s m")) { words[0] }
                } else {
                    place.subject
                }
            }
            Tag.td(.role("cell"), .cellLabel("State")) { place.pageState.badge(place.word) }
            Tag.td(.role("cell"), .cellLabel("Running"), .class("m")) {
                reference(place.current)
                if words.count > 2 { ClusterNote.cell(running, container: words[2], of: words[1], git: place.current) }
            }
            Tag.td(.role("cell"), .cellLabel("Policy"), .class("m")) { printable(place.policy ?? "–") }
            Tag.td(.role("cell"), .cellLabel("Candidate"), .class("m")) { reference(place.chosen) }
            Tag.td(.role("cell"), .cellLabel("Reason")) {
                printable(place.reason, limit: 1_000)
                if let remedy = place.remedy, [.held, .paused, .failed].contains(place.state) {
                    Tag.span(.class("s")) { printable(remedy, limit: 1_000) }
                }
            }
        }
    }

    @HTMLBuilder private func reference(_ text: String?) -> HTML {
        if let text { Tag.span(.title(text)) { ReferenceText.short(text) } } else { "–" }
    }
}

extension Explanation {
    /// Whether something decides about it, even if it decides to leave it.
    var isFollowed: Bool { state != .left || policy != nil || decidedBy != nil }

    var pageState: PageState {
        switch state {
        case .update, .unchanged, .left: .ok
        case .held: .held
        case .paused: .paused
        case .failed: .failing
        }
    }

    /// In the words of the pages.
    var word: String {
        switch state {
        case .update: "update"
        case .unchanged: "ok"
        case .held: "held"
        case .paused: "paused"
        case .left: "left alone"
        case .failed: "failing"
        }
    }
}
