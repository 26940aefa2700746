/// What history knows of a repository, for the status of a process that has just begun.
struct RepositoryPast: Sendable {
    /// When a cycle ended without failure the last time, in seconds since 1970, as far as it was written down.
    var lastSuccess: Int64?
    var lastCommit: CycleReport.Published?
    /// The newest image of each pipeline, the newest last.
    var images: [CycleReport.Image] = []
    /// What failed in the last cycle, and since when.
    var failing: [String: Int64] = [:]
}

extension HistoryStore {
    /// Builds that are looked at for the newest image of each pipeline.
    private static let recentBuilds = 20

    func past(of repository: String) -> RepositoryPast {
        var past = RepositoryPast()
        let (entries, lastLook) = recentCycles(of: repository)
        past.lastCommit = entries.last { !$0.commits.isEmpty }?.commits.last
        if let last = entries.last {
            if last.failures.isEmpty {
                past.lastSuccess = max(last.at, lastLook ?? last.at)
            } else {
                past.lastSuccess = last.lastSuccess ?? entries.last { $0.failures.isEmpty }?.at
                past.failing = Dictionary(last.failures.map { ($0.reason, last.at) }) { one, _ in one }
            }
        }
        var known: Set<String> = []
        for build in builds(of: repository, limit: Self.recentBuilds) {
            guard let image = build.image, known.insert(image.pipeline).inserted else { continue }
            past.images.insert(image, at: 0)
        }
        return past
    }
}

extension BuildRecord {
    /// What the build made; `nil` for one that made nothing.
    fileprivate var image: CycleReport.Image? {
        guard state == .succeeded, let digest else { return nil }
        let seconds = (endedAt ?? 0) - (startedAt ?? endedAt ?? 0)
        return CycleReport.Image(
            pipeline: description.pipeline.pipeline, references: description.names, digest: digest, layers: [],
            isolation: nil, built: true, seconds: Double(max(0, seconds)))
    }
}
