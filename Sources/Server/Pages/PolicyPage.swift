import Agent
import Text

/// Who decides about one place of a manifest, which tags were considered, and what another policy would choose.
struct PolicyPage: Sendable {
    let overview: AgentOverview
    let repository: String
    /// `FILE:LINE`.
    let place: String
    let explanation: Explanation
    let clock: PageClock
    let request: ServerRequest

    private static let pageSize = 100

    static func page(_ repository: String, _ place: String) -> Address {
        .page(["repositories", repository, "policies", place])
    }

    /// The link of a subject, `file:line object container`; `nil` where it is about something else.
    static func page(_ repository: String, subject: String) -> Address? {
        guard let word = subject.split(separator: " ", maxSplits: 1).first,
            let colon = word.lastIndex(of: ":"), let line = Int(word[word.index(after: colon)...]), line > 0,
            word[..<colon].hasSuffix(".yaml") || word[..<colon].hasSuffix(".yml")
        else { return nil }
        return page(repository, String(word))
    }

    private var name: String {
        let words = explanation.subject.split(separator: " ", maxSplits: 1)
        return words.count > 1 ? String(words[1]) : explanation.subject
    }

    func document() -> HTMLDocument {
        let path = [
            PageFrame.Crumb(text: repository, address: FleetPage.page(repository)),
            PageFrame.Crumb(text: place, address: nil), PageFrame.Crumb(text: "policy", address: nil),
        ]
        return PageFrame(overview: overview, clock: clock).document("Policy of \(name)", path: path) {
            Tag.div(.class("head")) {
                Tag.h1 { "Policy of \(name)" }
                explanation.pageState.badge(explanation.word, isBig: true)
            }
            Reason(state: explanation.pageState, title: explanation.reason, text: explanation.remedy).html
            facts
            trial
            tags
        }
    }

    private var facts: HTML {
        Tag.section(.class("card"), .label("Facts")) {
            Tag.dl(.class("facts")) {
                Fact("Policy") { Tag.span(.class("m b")) { explanation.policy ?? "–" } }.html
                Fact("Place") { Tag.span(.class("m")) { place } }.html
                Fact("Decided by") { explanation.decidedBy ?? "nothing" }.html
                Fact("Runs") { Tag.span(.class("m")) { explanation.current ?? "–" } }.html
                Fact("Chosen") { Tag.span(.class("m b")) { chosen } }.html
                if let look = (try? overview.status(of: repository))?.lastCycle {
                    Fact("Last look") { clock.moment(look) }.html
                }
                Fact("Images") { Tag.span(.class("m")) { explanation.repository ?? "–" } }.html
            }
        }
    }

    /// What the policy's own choice is, also where it is there already.
    private var chosen: String {
        let selected = explanation.trial == nil ? explanation.tags.first { $0.outcome == "selected" }?.tag : nil
        return explanation.chosen ?? selected ?? "–"
    }

    @HTMLBuilder private var trial: HTML {
        if explanation.policy != nil {
            Tag.section(.labelled(by: "h-try")) {
                Tag.div(.class("h")) {
                    Tag.h2(.id("h-try")) { "Try another policy" }
                    Tag.span(.class("s")) { "nothing is changed by it" }
                }
                Tag.form(.class("acts card"), .get) {
                    Tag.label(.class("s"), .for("p")) { "Policy" }
                    Tag.input(
                        .id("p"), .field("policy"), .class("m"), .noCompletion, .unspelled,
                        .value(explanation.trial?.policy ?? explanation.policy ?? ""))
                    Tag.label(.class("s"), .for("cur")) { "with the tag in use" }
                    Tag.input(
                        .id("cur"), .field("current"), .class("m"), .noCompletion, .unspelled,
                        .value(explanation.trial?.current ?? Self.tag(of: explanation.current)))
                    Tag.button { "Show" }
                }
                if let trial = explanation.trial {
                    Tag.p(.class("pad"), .role("status")) {
                        trial.chosen.map { "'\(printable(trial.policy))' chooses \($0): " }
                            ?? "'\(printable(trial.policy))' chooses nothing: "
                        trial.reason
                    }
                }
            }
        }
    }

    /// Of `registry:5000/acme/web:v4`.
    private static func tag(of image: String?) -> String {
        guard let image, let colon = image.lastIndex(of: ":"), !image[colon...].contains("/") else { return "" }
        return String(image[image.index(after: colon)...])
    }

    // MARK: Tags

    private static let verdicts = ["selected", "eligible", "refused"]

    @HTMLBuilder private var tags: HTML {
        Tag.section(.labelled(by: "h-tags")) {
            let verdict = request.query["verdict"].flatMap { Self.verdicts.contains($0) ? $0 : nil }
            let chosen = explanation.tags.filter { verdict == nil || $0.outcome == verdict }
            Tag.div(.class("h")) {
                Tag.h2(.id("h-tags")) { "Tags" }
                Tag.span(.class("s")) { counted(explanation.tagCount, "tag", "tags") }
            }
            if explanation.tags.isEmpty {
                Tag.p(.class("card mute")) {
                    explanation.policy == nil
                        ? "No policy chooses here, so no tags were looked at. Annotate the workload, or mark the image."
                        : "No tags are known. The registry tells them to the next look: sync the repository."
                }
            } else {
                filter(verdict)
                table(chosen)
            }
        }
    }

    private func filter(_ chosen: String?) -> HTML {
        Tag.nav(.label("Filter by verdict")) {
            Tag.ul(.class("chips")) {
                Tag.li { chip("All", nil, explanation.tagCount, isCurrent: chosen == nil) }
                for verdict in Self.verdicts {
                    let count = explanation.outcomes?[verdict] ?? 0
                    if count > 0 { Tag.li { chip(verdict, verdict, count, isCurrent: chosen == verdict) } }
                }
            }
        }
    }

    private func chip(_ word: String, _ verdict: String?, _ count: Int, isCurrent: Bool) -> HTML {
        Tag.a(.href(.same(query(verdict: verdict))), isCurrent ? .current("true") : nil) {
            word + " "
            Tag.span(.class("mute")) { "\(count)" }
        }
    }

    private func query(verdict: String?, page: Int? = nil) -> [(String, String)] {
        let trial = ["policy", "current"].compactMap { name in request.query[name].map { (name, $0) } }
        return trial + (verdict.map { [("verdict", $0)] } ?? []) + (page.map { [("page", "\($0)")] } ?? [])
    }

    private func table(_ tags: [Explanation.Tag]) -> HTML {
        let number = min(max(1, request.query["page"].flatMap(Int.init) ?? 1), 1 << 20)
        let shown = tags.dropFirst((number - 1) * Self.pageSize).prefix(Self.pageSize)
        let rest = tags.count - (number - 1) * Self.pageSize - shown.count
        return HTMLBuilder.buildBlock(
            Tag.table(.class("c"), .role("table"), .labelled(by: "h-tags")) {
                TableHead(["Tag", "Verdict", "Reason", "Created", "Digest"]).html
                Tag.tbody(.role("rowgroup")) { for tag in shown { row(tag) } }
            },
            rest > 0
                ? Tag.p(.class("s pad")) {
                    Tag.a(.href(.same(query(verdict: request.query["verdict"], page: number + 1)))) {
                        "The next \(min(rest, Self.pageSize)) tags"
                    }
                } : .nothing)
    }

    private func row(_ tag: Explanation.Tag) -> HTML {
        Tag.tr(.role("row"), tag.outcome == "selected" ? .class("on") : nil) {
            Tag.th(.role("rowheader"), .scope("row"), .class("first m")) { printable(tag.tag) }
            Tag.td(.role("cell"), .cellLabel("Verdict")) {
                if tag.outcome == "selected" {
                    PageState.ok.badge("selected")
                } else {
                    Tag.span(tag.outcome == "refused" ? .class("mute") : nil) { tag.outcome }
                }
            }
            Tag.td(.role("cell"), .cellLabel("Reason")) { printable(tag.reason, limit: 500) }
            Tag.td(.role("cell"), .cellLabel("Created"), .class("nw")) {
                if let created = tag.created {
                    clock.moment(created)
                } else {
                    Tag.span(.class("mute")) { "not read" }
                }
            }
            Tag.td(.role("cell"), .cellLabel("Digest"), .class("nw")) {
                if let digest = tag.digest { DigestText.html(digest) } else { "–" }
            }
        }
    }
}
