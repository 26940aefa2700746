extension CycleEntry {
    /// What history keeps of a cycle's report.
    init(_ report: CycleReport, at now: Int64, seconds: Double) {
        self.init(at: now, seconds: seconds, revision: report.revision)
        images = report.images.flatMap { image in image.references.map { "\($0)@\(image.digest)" } }
        updates = report.updates.map {
            Update(
                file: $0.file, workload: $0.workload, container: $0.container, old: $0.old, new: $0.new,
                reason: $0.reason)
        }
        commits = report.commits.map { Commit(commit: $0.commit, branch: $0.branch, message: $0.message) }
        decisions = report.decisions.map { Remark(subject: $0.subject, reason: $0.reason, remedy: $0.remedy) }
        failures = report.failures.map {
            Remark(subject: $0.subject ?? $0.phase.rawValue, reason: $0.message, remedy: $0.hint)
        }
    }
}
