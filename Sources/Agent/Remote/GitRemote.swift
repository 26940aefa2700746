package import Builder
package import Git

/// A repository at its host, as the agent uses it: read, verified, written back to. `MirrorRemote` is the real one.
///
/// Nothing can be written but on top of a head that was fetched and accepted: commits are made on a `CommitBase`, which only
/// a `TrustedHead` leads to, and only a `ProposedCommit` is pushed.
package protocol GitRemote: Sendable {
    /// The URL without user, password and query.
    var displayURL: String { get }

    // MARK: Fetching

    /// The head of a branch: one reference advertisement when there is nothing new.
    func fetch(branch: String) async throws(GitError) -> FetchedHead
    /// The same for a branch that may not be there.
    func fetchIfPresent(branch: String) async throws(GitError) -> Commit?
    /// The host's branches as last heard, by name.
    func advertisedBranches() async -> [String: ObjectID]
    /// Holds a branch's commits against the keys that are trusted.
    func verify(
        _ head: ObjectID, branch: String, by verification: AgentConfiguration.VerificationSettings
    ) async throws(GitError)

    // MARK: Reading

    func commit(_ id: ObjectID) async throws(GitError) -> Commit
    /// All files of a commit, sorted by path.
    func entries(of id: ObjectID) async throws(GitError) -> [TreeEntry]
    /// What is at a path of a commit; `nil` when nothing is.
    func entry(at path: String, in id: ObjectID) async throws(GitError) -> TreeEntry?
    /// A blob's whole content; `.tooLarge` when it has more than `limit` bytes.
    func blob(_ id: ObjectID, limit: Int) async throws(GitError) -> [UInt8]
    /// Reads many files, several at a time, each handed to `body` on a thread that may block.
    ///
    /// - Returns: what `body` made of each, in the order asked.
    func read<Value: Sendable>(
        _ entries: [TreeEntry], limit: Int,
        _ body: @escaping @Sendable (TreeEntry, Result<[UInt8], GitError>) -> Value
    ) async -> [Value]
    /// Commits reachable from one, newest first.
    func log(from id: ObjectID, limit: Int, notReachableFrom old: ObjectID?) async throws(GitError) -> [Commit]
    /// The paths that differ between two commits, sorted.
    func changedPaths(from old: ObjectID?, to new: ObjectID) async throws(GitError) -> [String]
    func diff(from old: ObjectID?, to new: ObjectID) async throws(GitError) -> String
    /// A directory of a revision as a build's context.
    ///
    /// - Parameters:
    ///   - replaced: files of another revision that stand in for those of this one, by path.
    ///   - content: what of it is brought from elsewhere.
    func context(
        _ tree: RevisionTree, root: String, replacing replaced: [String: TreeEntry], fetching content: FetchedContent
    ) async throws(BuildError) -> any BuildContext
    /// The `.git` directory of a commit, with its history and the tags of that, as a part of a build's context.
    ///
    /// - Parameter source: the commit that identifies the files; the agent's own on top of it make no other content.
    func gitDirectory(
        of commit: Commit, branch: String, identifiedBy source: ObjectID
    ) async throws(GitError) -> any BuildContext

    // MARK: Writing

    /// Writes a commit that no branch names yet.
    func createCommit(_ draft: CommitDraft, on base: CommitBase) async throws(GitError) -> ObjectID
    /// Moves a branch to a commit, if it still is where it is expected; `nil`: not there yet.
    ///
    /// - Parameter force: the old head need not be an ancestor of the new one; it is compared all the same.
    func push(
        _ proposal: ProposedCommit, to branch: String, expecting: ObjectID?, force: Bool
    ) async throws(GitError) -> PushOutcome
    func deleteBranch(_ branch: String, expecting: ObjectID) async throws(GitError) -> PushOutcome
    /// Attaches a note to a commit that was pushed.
    func pushNote(_ text: String, on proposal: ProposedCommit, reference: String) async throws(GitError)
}

/// What a fetch found.
package struct FetchedHead: Sendable {
    package let commit: Commit
    /// Somebody rewrote the branch: the head that was known is not in its history any more.
    package let isRewritten: Bool

    package init(commit: Commit, isRewritten: Bool = false) {
        self.commit = commit
        self.isRewritten = isRewritten
    }
}

/// A commit to be written.
package struct CommitDraft: Sendable {
    /// Whole new contents by path.
    package let files: [String: [UInt8]]
    package let message: String
    package let author: Signature
    package let committer: Signature
    package let signingKey: SigningKey?
    /// Whether it is to be shown, and never pushed.
    package var isPlan = false
}

extension GitRemote {
    /// A whole file.
    ///
    /// - Throws: when it is larger than `limit` bytes.
    func read(_ entry: TreeEntry, limit: Int = 64 << 20) async throws(AgentError) -> [UInt8] {
        do {
            return try await blob(entry.id, limit: limit)
        } catch {
            throw AgentError(
                failing: error, place: entry.path,
                hint: "the mirror is made anew when it is removed from the state directory")
        }
    }
}
