extension CycleEntry {
    /// What history keeps of a cycle's report.
    ///
    /// - Parameter lastSuccess: when a cycle before it ended without failure.
    init(_ report: CycleReport, at now: Int64, seconds: Double, lastSuccess: Int64? = nil) {
        self.init(at: now, seconds: seconds, revision: report.revision)
        if !report.failures.isEmpty { self.lastSuccess = lastSuccess }
        images = report.images.flatMap { image in image.references.map { "\($0)@\(image.digest)" } }
        updates = report.updates
        commits = report.commits
        decisions = report.decisions.map { Remark(subject: $0.subject, reason: $0.reason, remedy: $0.remedy) }
        failures = report.failures.map {
            Remark(subject: $0.subject ?? $0.phase.rawValue, reason: $0.message, remedy: $0.hint)
        }
    }
}
