/// What one cycle did, or decided anew.
package struct CycleEntry: Sendable, Equatable, Codable {
    package struct Update: Sendable, Hashable, Codable {
        package var file: String
        package var workload: String
        package var container: String
        package var old: String
        package var new: String
        package var reason: String

        package init(
            file: String, workload: String, container: String, old: String, new: String, reason: String
        ) {
            self.file = file
            self.workload = workload
            self.container = container
            self.old = old
            self.new = new
            self.reason = reason
        }
    }

    package struct Commit: Sendable, Hashable, Codable {
        package var commit: String
        package var branch: String
        package var message: String

        package init(commit: String, branch: String, message: String) {
            self.commit = commit
            self.branch = branch
            self.message = message
        }
    }

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
    /// Images that got a name, with their digests.
    package var images: [String] = []
    package var updates: [Update] = []
    package var commits: [Commit] = []
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
            Commit(commit: $0.commit, branch: $0.branch, message: short($0.message))
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
