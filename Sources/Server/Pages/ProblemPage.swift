import Agent
import Diagnostics
import Text

/// What is shown in place of a page that cannot be: nothing at this address, a build that is not kept any more. It says what is near.
struct ProblemPage: Sendable {
    let overview: AgentOverview
    let error: ControlError
    let clock: PageClock
    var near = NearPages()

    func document() -> HTMLDocument {
        let title = error.code.isAbsence ? "Not found" : "This did not work"
        var frame = PageFrame(overview: overview, clock: clock)
        frame.search = near.asked
        return frame.document(title) {
            Tag.div(.class("head")) { Tag.h1 { title } }
            Tag.div(.role("alert")) {
                Reason(
                    state: error.code.isAbsence ? .unknown : .failing,
                    title: (error.place.map { "\($0): " } ?? "") + error.summary,
                    text: [error.cause, error.hint].compactMap { $0 }.joined(separator: ". ")
                ).html
            }
            if !near.hits.isEmpty { SearchHits(title: "Near it", hits: near.hits).html }
            Tag.p { Tag.a(.href(.page())) { "All repositories" } }
        }
    }
}

/// What a reader may have meant who asked for something that is not there.
struct NearPages: Sendable {
    /// What was looked for, to go on from.
    private(set) var asked = ""
    private(set) var hits: [SearchHit] = []

    private static let limit = 8

    init() {}

    /// - Parameter path: that was asked for.
    init(_ path: [String], control: any AgentControl, overview: AgentOverview) async {
        guard path.count > 1 else { return }
        asked = path[1]
        switch path[0] {
        case "repositories": hits = Self.repositories(like: asked, overview)
        case "builds":
            // By its day: a build is named by its time.
            hits = await Search(String(asked.prefix(8)), control: control, overview: overview).hits()
                .filter { $0.kind == .build }
        case "images":
            let name = String(asked.split(separator: "/").last ?? "")
            hits = await Search(String(name.prefix { $0 != ":" } + ":"), control: control, overview: overview).hits()
                .filter { $0.kind == .tag }
        default: break
        }
        hits = Array(hits.prefix(Self.limit))
    }

    /// Those with the fewest letters to change, where these are not most of them.
    private static func repositories(like asked: String, _ overview: AgentOverview) -> [SearchHit] {
        let wanted = Array(asked.lowercased().prefix(100))
        return overview.repositories.map { status -> (distance: Int, status: RepositoryStatus) in
            let name = Array(status.repository.lowercased().prefix(100))
            let isPart = wanted.count > 2 && status.repository.lowercased().contains(asked.lowercased())
            return (isPart ? 1 : editDistance(wanted, name), status)
        }
        .filter { $0.distance <= max(1, min(wanted.count, $0.status.repository.count) / 3) }
        .sorted { ($0.distance, $0.status.repository) < ($1.distance, $1.status.repository) }
        .map {
            SearchHit(
                kind: .repository, text: $0.status.repository, note: $0.status.url,
                address: FleetPage.page($0.status.repository))
        }
    }
}

extension ControlError.Code {
    var isAbsence: Bool { self == .notFound || self == .unknownBuild || self == .unknownRepository }
}
