import Agent

/// What people hold back in a repository, with what lets go of it.
struct HoldTable: Sendable {
    let status: RepositoryStatus
    let forms: ActionForms

    @HTMLBuilder var html: HTML {
        if !status.holds.isEmpty {
            Tag.section(.labelled(by: "h-held")) {
                Tag.div(.class("h")) {
                    Tag.h2(.id("h-held")) { "Held" }
                    Tag.span(.class("s")) { "by a person's word" }
                }
                Tag.table(.class("c"), .role("table"), .labelled(by: "h-held")) {
                    TableHead(["What", "Reason", "Action"]).html
                    Tag.tbody(.role("rowgroup")) { for hold in status.holds { row(hold) } }
                }
            }
        }
    }

    private func row(_ hold: CycleReport.Decision) -> HTML {
        Tag.tr(.role("row")) {
            Tag.th(.role("rowheader"), .scope("row"), .class("first")) {
                PageState.held.badge()
                " "
                SubjectText.html(hold.subject, of: status.repository)
            }
            Tag.td(.role("cell"), .cellLabel("Reason")) {
                [hold.reason, hold.remedy].compactMap { $0 }.joined(separator: ". ")
            }
            Tag.td(.role("cell"), .cellLabel("Action")) {
                if let workload = Self.workload(of: hold.subject) {
                    forms.html(
                        .release(status.repository), "Release", Icon(.held),
                        "Commits the best image that the policy of \(workload) allows now.", asking: .reason,
                        workload: workload)
                } else {
                    "–"
                }
            }
        }
    }

    /// Of `file:line namespace:kind/name container`.
    static func workload(of subject: String) -> String? {
        let words = subject.split(separator: " ")
        guard words.count > 1, let colon = words[1].firstIndex(of: ":"), words[1][colon...].contains("/") else {
            return nil
        }
        return String(words[1])
    }
}
