/// What one cycle did, or decided anew.
package struct CycleEntry: Sendable, Equatable, Codable {
    /// A decision not to act, or a failure.
    package struct Remark: Sendable, Hashable, Codable {
        package var subject: String
        package var reason: String
        package var remedy: String?

        package init(subject: String, reason: String, remedy: String? = nil) {
            self.subject = subject
            self.reason = reason
            self.remedy = remedy
        }
    }

    /// When it ended, in seconds since 1970.
    package var at: Int64
    /// How long it took.
    package var seconds: Double
    /// The commit that was worked on.
    package var revision: String?
    /// Of a cycle that failed: when one before it ended without failure, in seconds since 1970.
    package var lastSuccess: Int64?
    /// Images that got a name, with their digests.
    package var images: [String] = []
    package var updates: [CycleReport.Update] = []
    package var commits: [CycleReport.Published] = []
    package var decisions: [Remark] = []
    package var failures: [Remark] = []

    package init(at: Int64, seconds: Double, revision: String? = nil) {
        self.at = at
        self.seconds = seconds
        self.revision = revision
    }

    private static let listLimit = 200

    /// The same with lists and texts of bounded size.
    var bounded: CycleEntry {
        func short(_ text: String) -> String { BoundedText.ends(of: text, limit: 1_000) }
        func remark(_ remark: Remark) -> Remark {
            Remark(
                subject: short(remark.subject), reason: short(remark.reason), remedy: remark.remedy.map(short))
        }
        var entry = self
        entry.images = images.prefix(Self.listLimit).map(short)
        entry.updates = Array(updates.prefix(Self.listLimit))
        entry.commits = commits.prefix(Self.listLimit).map {
            CycleReport.Published(commit: $0.commit, message: short($0.message), branch: $0.branch)
        }
        entry.decisions = decisions.prefix(Self.listLimit).map(remark)
        entry.failures = failures.prefix(Self.listLimit).map(remark)
        return entry
    }

    /// Whether it tells something that the one before it did not: it made something, or what it decided and what failed is not the same.
    func isNews(after last: CycleEntry?) -> Bool {
        if !images.isEmpty || !updates.isEmpty || !commits.isEmpty { return true }
        return Set(decisions) != Set(last?.decisions ?? []) || Set(failures) != Set(last?.failures ?? [])
    }
}
