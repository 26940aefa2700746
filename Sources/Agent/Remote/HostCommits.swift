import Forge
import Git

/// Makes the agent's commits at the code host, which signs them: what the mirror made is made there again, and taken over from there.
/// They are pushed like all others, and so the rules for races and for a head that moved are the same.
package struct HostCommits: Sendable {
    private let github: GitHubCommits

    init(_ github: GitHubCommits) { self.github = github }

    /// - Parameter local: the commit that the mirror made of the draft.
    /// - Returns: the one that the host made.
    func commit(
        _ draft: CommitDraft, like local: ObjectID, on base: CommitBase, in mirror: Mirror
    ) async throws(GitError) -> ObjectID {
        let wanted = try await mirror.commit(local)
        var files: [GitHubCommits.File] = []
        for (path, content) in draft.files {
            let isExecutable = try await mirror.objectID(at: path, in: local)?.mode == .executable
            files.append(GitHubCommits.File(path: path, mode: isExecutable ? "100755" : "100644", content: content))
        }
        let made: GitHubCommits.Made
        do throws(ForgeError) {
            made = try await github.make(
                files, message: draft.message, on: base.commit.id.description, base: base.commit.tree.description)
        } catch {
            throw GitError(
                error.code == .unavailable || error.code == .rateLimited ? .network : .authentication, error.summary,
                place: error.place, cause: error.cause, hint: error.hint)
        }
        guard made.tree == wanted.tree.description else {
            throw GitError(.invalid, "GitHub made another tree of the same changes", place: made.tree)
        }
        let id = try ObjectID(hex: made.id)
        try await mirror.adoptCommit(payload: made.payload, signature: made.signature, as: id)
        return id
    }
}
