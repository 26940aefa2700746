package import Git

/// The head of a watched branch that was fetched and accepted: the only thing that commits are made on.
///
/// There is no way to make one but `HeadReader.fetch`, so what was not accepted cannot be committed on.
package struct TrustedHead: Sendable, Hashable {
    package let commit: Commit
    package let branch: String

    fileprivate init(commit: Commit, branch: String) {
        self.commit = commit
        self.branch = branch
    }
}

/// Fetches the watched branch, and accepts its head: commits that must be signed and are not are nothing to work with.
package struct HeadReader: Sendable {
    let remote: any GitRemote
    let branch: String
    let verification: AgentConfiguration.VerificationSettings

    /// - Returns: the head, and whether somebody rewrote the branch since it was last fetched.
    /// - Throws: `.unverified` for a head that the configuration does not accept.
    package func fetch() async throws(GitError) -> (head: TrustedHead, isRewritten: Bool) {
        let fetched = try await remote.fetch(branch: branch)
        try await remote.verify(fetched.commit.id, branch: branch, by: verification)
        return (TrustedHead(commit: fetched.commit, branch: branch), fetched.isRewritten)
    }
}

/// What a commit can be put on: an accepted head, or a commit that was made on one.
package struct CommitBase: Sendable {
    package let commit: Commit
    /// The accepted head below.
    package let head: TrustedHead

    package init(_ head: TrustedHead) {
        commit = head.commit
        self.head = head
    }

    init(after proposal: ProposedCommit, as commit: Commit) {
        self.commit = commit
        head = proposal.head
    }
}
