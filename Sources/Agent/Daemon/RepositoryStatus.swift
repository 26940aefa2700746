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
        /// A person switched it off: no cycle begins until somebody resumes it.
        case paused
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
    /// Who paused it and why, until somebody resumes it.
    package var paused: RepositoryPause?
    /// The commit that the last cycle worked on.
    package var head: String?
    /// When it is looked at next; `nil` while a cycle is under way.
    package var nextAttempt: Int64?
    /// Between looks, in seconds.
    package var interval: Int64?
    /// The newest commit of the agent's.
    package var lastCommit: CycleReport.Published?
    /// The newest image of each pipeline, the newest last. Their layers are told by the builds.
    package var lastImages: [CycleReport.Image] = []
    /// Of the last cycle, as all that follows. Each failure has the time since when every cycle fails so.
    package var failures: [CycleReport.Failure] = []
    /// Builds that it did not wait for.
    package var pending: [CycleReport.Pending] = []
    /// What a person's word holds back.
    package var holds: [CycleReport.Decision] = []
    /// Files that could not be looked at.
    package var passedOver: [CycleReport.Decision] = []

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
        head = report.revision ?? head
        if let commit = report.commits.last { lastCommit = commit }
        record(report.images)
        let known = failures
        failures = report.failures.prefix(Self.listLimit).map { failure in
            var failure = failure
            failure.since = failure.since ?? known.first { $0.message == failure.message }?.since ?? now
            return failure
        }
        pending = report.pending
        holds = Array(report.decisions.lazy.filter { $0.isHold == true }.prefix(Self.listLimit))
        passedOver = Array(report.decisions.lazy.filter { $0.isPassedOver == true }.prefix(Self.listLimit))
        change(to: Self.state(of: report), at: now)
    }

    /// Takes in which images were pushed.
    mutating func record(_ images: [CycleReport.Image]) {
        for image in images where !image.digest.isEmpty {
            var image = image
            image.layers = []
            lastImages.removeAll { $0.pipeline == image.pipeline }
            lastImages.append(image)
        }
        lastImages.removeFirst(max(0, lastImages.count - Self.listLimit))
    }

    private static let listLimit = 100

    /// Takes in what the processes before this one did. What this one did already counts more.
    mutating func restore(_ past: RepositoryPast) {
        lastSuccess = lastSuccess ?? past.lastSuccess
        lastCommit = lastCommit ?? past.lastCommit
        let newer = lastImages
        lastImages = []
        record(past.images + newer)
    }

    /// Takes in since when what fails now failed in the process before this one.
    mutating func recall(_ failing: [String: Int64]) {
        for index in failures.indices {
            guard let then = failing[failures[index].message], let since = failures[index].since else { continue }
            failures[index].since = min(since, then)
        }
    }

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

    /// Since when every cycle fails in one of the ways in which the last one did; `nil` where it did not fail.
    package var failingSince: Int64? { failures.compactMap(\.since).min() }

    private static func state(of report: CycleReport) -> State {
        if report.failures.contains(where: { $0.disposition == .retry }) { return .failing }
        if !report.failures.isEmpty { return .stalled }
        if !report.pending.isEmpty { return .building }
        return report.decisions.contains { $0.isHold == true } ? .held : .ok
    }
}
