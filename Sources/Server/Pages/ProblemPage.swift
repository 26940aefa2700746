import Agent
import Text

/// What is shown in place of a page that cannot be: nothing at this address, a build that is not kept any more.
struct ProblemPage: Sendable {
    let overview: AgentOverview
    let error: ControlError
    let clock: PageClock

    func document() -> HTMLDocument {
        let title = error.code.isAbsence ? "Not found" : "This did not work"
        return PageFrame(overview: overview, clock: clock).document(title) {
            Tag.div(.class("head")) { Tag.h1 { title } }
            Tag.div(.role("alert")) {
                Reason(
                    state: error.code.isAbsence ? .unknown : .failing,
                    title: (error.place.map { "\($0): " } ?? "") + error.summary,
                    text: [error.cause, error.hint].compactMap { $0 }.joined(separator: ". ")
                ).html
            }
            Tag.p { Tag.a(.href(.page())) { "All repositories" } }
        }
    }
}

extension ControlError.Code {
    var isAbsence: Bool { self == .notFound || self == .unknownBuild || self == .unknownRepository }
}
