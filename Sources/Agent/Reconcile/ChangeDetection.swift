import Builder
import Git
import OCI
import RegistryPoller

/// Whether a pipeline has to build, judged by what the registry holds.
enum ChangeDecision: Sendable {
    /// The newest image was made from the same content.
    case upToDate(String)
    /// The registry holds an image of this content; it only lacks (some of) the names.
    case rename(TagRecord, BuildOrder)
    case build(BuildOrder)
}

/// A build that is due.
struct BuildOrder: Sendable {
    let pipeline: Pipeline
    let request: BuildRequest
    let key: ContentKey
    /// The names that the image gets; the one that the decision hangs on comes last, so that all others are there
    /// when it is.
    let names: [ImageLocation]
    /// Why now.
    let reason: String
}

/// The branch's commits, newest first, as far back as order matters.
package struct BranchHistory: Sendable {
    private let positions: [String: Int]
    let commits: [Commit]

    /// Commits that are looked at.
    static let limit = 5_000

    init(_ commits: [Commit]) {
        self.commits = commits
        var positions: [String: Int] = [:]
        positions.reserveCapacity(commits.count)
        for (index, commit) in commits.enumerated() { positions[commit.id.description] = commits.count - index }
        self.positions = positions
    }

    /// How far up a revision is; higher is newer. `nil` when it is not of this branch.
    func position(_ revision: String) -> Int? { positions[revision] }

    /// The newest commit that is not one of the agent's own: what images are made from and named after.
    var source: Commit? { commits.first { !CommitTrailer.isOwn($0.message) } ?? commits.first }

    /// The commits after `revision`, newest first; `nil` when it is not of this branch.
    func since(_ revision: String) -> ArraySlice<Commit>? {
        guard let end = commits.firstIndex(where: { $0.id.description == revision }) else { return nil }
        return commits[..<end]
    }
}
