package import Git

/// The branch's commits, newest first, as far back as order matters.
package struct BranchHistory: Sendable {
    private let positions: [String: Int]
    let commits: [Commit]
    /// What the agent wrote where, as its commits tell it.
    let written: WrittenValues

    /// Commits that are looked at.
    static let limit = 5_000

    package init(_ commits: [Commit]) {
        self.commits = commits
        var positions: [String: Int] = [:]
        positions.reserveCapacity(commits.count)
        for (index, commit) in commits.enumerated() { positions[commit.id.description] = commits.count - index }
        self.positions = positions
        written = WrittenValues(commits)
    }

    /// How far up a revision is; higher is newer. `nil` when it is not of this branch.
    func position(_ revision: String) -> Int? { positions[revision] }

    /// The commits after `revision`, newest first; `nil` when it is not of this branch.
    func since(_ revision: String) -> ArraySlice<Commit>? {
        guard let end = commits.firstIndex(where: { $0.id.description == revision }) else { return nil }
        return commits[..<end]
    }
}
