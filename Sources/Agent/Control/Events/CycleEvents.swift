/// What a cycle is told of in the journal: what failed that did not fail so before, what was committed, and that it ended.
struct CycleEvents: Sendable {
    private let report: CycleReport
    private let known: Set<String>
    private let now: Int64

    /// - Parameter known: what failed in the cycle before.
    init(_ report: CycleReport, known: [CycleReport.Failure], at now: Int64) {
        self.report = report
        self.known = Set(known.map(\.message))
        self.now = now
    }

    /// - Parameter state: the repository's after the cycle.
    func all(state: RepositoryStatus.State?) -> [AgentEvent] {
        let failures = report.failures.filter { !known.contains($0.message) }.map { failure in
            var event = AgentEvent(.failure, of: report.repository, at: now)
            event.failure = failure
            return event
        }
        let commits = report.commits.map { commit in
            var event = AgentEvent(.commit, of: report.repository, at: now)
            event.published = commit
            return event
        }
        var end = AgentEvent(.cycle, of: report.repository, at: now)
        end.state = state?.rawValue
        end.revision = report.revision
        return failures + commits + [end]
    }
}
