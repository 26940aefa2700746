/// What became of a workload, in fluxctl's words: a line of the table that `fluxctl release` and `policy` print.
package struct WorkloadResult: Codable, Sendable, Equatable {
    package var workload: String
    /// `success`, `skipped`, `failed`, `ignored`.
    package var status: String
    /// What was changed, or why nothing was.
    package var updates: [String]

    package init(workload: String, status: String, updates: [String]) {
        self.workload = workload
        self.status = status
        self.updates = updates
    }
}
