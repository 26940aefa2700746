/// How a repository of the agent's is doing, for pages, the API and `slipway status`. Times are seconds since 1970.
package struct RepositoryStatus: Codable, Sendable {
    package enum State: String, Codable, Sendable, CaseIterable {
        /// Its first cycle has not ended.
        case starting
        case ok
        case building
        /// Something failed that is tried again by itself.
        case failing
        /// What failed lies in the repository: nothing happens before a commit, or before somebody asks for it.
        case stalled
        /// A person took something back, and it is waited for something newer.
        case held
    }

    package var repository: String
    package var url: String
    package var branch: String
    package var state = State.starting
    /// Since when it is in this state.
    package var since: Int64
    /// When the last cycle ended, and the last one without failure.
    package var lastCycle: Int64?
    package var lastSuccess: Int64?
    /// When it is looked at next; `nil` while a cycle is under way.
    package var nextAttempt: Int64?
    /// The newest commit of the agent's that this process pushed.
    package var lastCommit: CycleReport.Published?
    /// The newest image of each pipeline that this process pushed, the newest last.
    package var lastImages: [CycleReport.Image] = []
    /// The last cycle.
    package var report: CycleReport?

    package init(_ repository: AgentConfiguration.RepositoryConfiguration, since: Int64) {
        self.repository = repository.name
        url = ShownURL.text(repository.url)
        branch = repository.branch
        self.since = since
    }

    /// Takes in what a cycle reports.
    mutating func record(_ report: CycleReport, at now: Int64) {
        lastCycle = now
        if report.failures.isEmpty { lastSuccess = now }
        url = report.url
        if let commit = report.commits.last { lastCommit = commit }
        record(report.images)
        self.report = report
        change(to: Self.state(of: report), at: now)
    }

    /// Takes in which images were pushed.
    mutating func record(_ images: [CycleReport.Image]) {
        for image in images where !image.digest.isEmpty {
            lastImages.removeAll { $0.pipeline == image.pipeline }
            lastImages.append(image)
        }
        lastImages.removeFirst(max(0, lastImages.count - Self.imageLimit))
    }

    private static let imageLimit = 100

    /// Takes from another configuration what it says of the repository.
    mutating func follow(_ other: RepositoryStatus) {
        url = other.url
        branch = other.branch
    }

    mutating func change(to new: State, at now: Int64) {
        guard state != new else { return }
        state = new
        since = now
    }

    private static func state(of report: CycleReport) -> State {
        if report.failures.contains(where: { $0.disposition == .retry }) { return .failing }
        if !report.failures.isEmpty { return .stalled }
        if !report.pending.isEmpty { return .building }
        return report.decisions.contains { $0.isHold == true } ? .held : .ok
    }
}
