import Blocking
package import Builder
package import Git

/// A repository by way of its mirror on this machine.
package struct MirrorRemote: GitRemote {
    private let mirror: Mirror
    private let directories: GitDirectoryShelf
    package let displayURL: String
    /// Reads the credentials from where they are now.
    private let credentials: (@Sendable () async throws(AgentError) -> GitCredentials)?
    /// Where submodules and Git LFS content come from; `nil` where nothing is built.
    private let sources: GitSources?
    /// Where commits are made that the host signs; `nil`: here.
    private let hostCommits: HostCommits?
    private let permit: WritePermit

    /// - Parameters:
    ///   - url: as the user wrote it; what could be a secret in it is not shown.
    ///   - sources: where submodules and Git LFS content come from; `nil` where nothing is built.
    ///   - hostCommits: where commits are made that the host signs; `nil`: here.
    ///   - permit: asked before each push.
    ///   - credentials: reads them before each conversation that begins something: files of secrets are replaced while the agent
    ///     runs. `nil`: those of the mirror stay.
    package init(
        _ mirror: Mirror, url: String, sources: GitSources? = nil, hostCommits: HostCommits? = nil,
        permit: WritePermit = .always,
        credentials: (@Sendable () async throws(AgentError) -> GitCredentials)? = nil
    ) {
        self.mirror = mirror
        self.sources = sources
        directories = GitDirectoryShelf(folder: mirror.path + "/slipway-git-directories")
        self.hostCommits = hostCommits
        self.permit = permit
        self.credentials = credentials
        displayURL = ShownURL.mayHoldSecret(url) ? mirror.url.description : url
    }

    private func renewCredentials() async throws(GitError) {
        guard let credentials else { return }
        let fresh: GitCredentials
        do throws(AgentError) {
            fresh = try await credentials()
        } catch {
            throw GitError(
                .authentication, error.summary, place: error.place, cause: error.cause,
                hint: error.hint ?? "the file must exist and be readable for this user")
        }
        await mirror.use(fresh)
    }

    // MARK: Fetching

    package func fetch(branch: String) async throws(GitError) -> FetchedHead {
        try await renewCredentials()
        let commit = try await mirror.fetch(branch: branch)
        return FetchedHead(commit: commit, isRewritten: await mirror.lastFetch?.isRewritten == true)
    }

    package func fetchIfPresent(branch: String) async throws(GitError) -> Commit? {
        try await mirror.fetchIfPresent(branch: branch)
    }

    package func advertisedBranches() async -> [String: ObjectID] { await mirror.advertisedBranches }

    package func verify(
        _ head: ObjectID, branch: String, by verification: AgentConfiguration.VerificationSettings
    ) async throws(GitError) {
        try await mirror.verify(head, branch: branch, mode: verification.mode, trust: verification.trust)
    }

    // MARK: Reading

    package func commit(_ id: ObjectID) async throws(GitError) -> Commit { try await mirror.commit(id) }

    package func entries(of id: ObjectID) async throws(GitError) -> [TreeEntry] {
        try await mirror.entries(of: id, recursive: true)
    }

    package func entry(at path: String, in id: ObjectID) async throws(GitError) -> TreeEntry? {
        try await mirror.objectID(at: path, in: id)
    }

    package func blob(_ id: ObjectID, limit: Int) async throws(GitError) -> [UInt8] {
        try await mirror.blob(id, limit: limit)
    }

    package func read<Value: Sendable>(
        _ entries: [TreeEntry], limit: Int,
        _ body: @escaping @Sendable (TreeEntry, Result<[UInt8], GitError>) -> Value
    ) async -> [Value] {
        let workers = entries.count < 64 ? 1 : max(1, ProcessorCount.value)
        let mirror = mirror
        let parts = await withTaskGroup(of: (Int, [Value]).self) { group in
            for worker in 0..<workers {
                group.addTask {
                    let values = await runBlocking {
                        let reader = Result { () throws(GitError) in try mirror.reader() }
                        return stride(from: worker, to: entries.count, by: workers).map { place in
                            let bytes = Result { () throws(GitError) in
                                try reader.get().blob(entries[place].id, limit: limit)
                            }
                            return body(entries[place], bytes)
                        }
                    }
                    return (worker, values)
                }
            }
            var parts = [[Value]](repeating: [], count: workers)
            for await (worker, values) in group { parts[worker] = values }
            return parts
        }
        return entries.indices.map { parts[$0 % workers][$0 / workers] }
    }

    package func log(
        from id: ObjectID, limit: Int, notReachableFrom old: ObjectID?
    ) async throws(GitError) -> [Commit] {
        try await mirror.log(from: id, limit: limit, notReachableFrom: old)
    }

    package func changedPaths(from old: ObjectID?, to new: ObjectID) async throws(GitError) -> [String] {
        try await mirror.changedPaths(from: old, to: new)
    }

    package func diff(from old: ObjectID?, to new: ObjectID) async throws(GitError) -> String {
        try await mirror.diff(from: old, to: new)
    }

    package func context(
        _ tree: RevisionTree, root: String, replacing replaced: [String: TreeEntry], fetching content: FetchedContent
    ) async throws(BuildError) -> any BuildContext {
        guard content != .nothing else {
            return GitTreeContext(mirror: mirror, tree: tree, root: root, replacing: replaced)
        }
        guard let sources else {
            throw BuildError(.unsupported, "submodules and Git LFS content are fetched only where images are built")
        }
        return try await sources.context(
            of: tree, folder: root, replacing: replaced, in: mirror, fetching: content)
    }

    package func gitDirectory(
        of commit: Commit, branch: String, identifiedBy source: ObjectID
    ) async throws(GitError) -> any BuildContext {
        try await directories.directory(of: commit, branch: branch, identifiedBy: source, in: mirror)
    }

    // MARK: Writing

    package func createCommit(_ draft: CommitDraft, on base: CommitBase) async throws(GitError) -> ObjectID {
        let commit = try await mirror.createCommit(
            parent: base.commit.id, edits: draft.files, message: draft.message, author: draft.author,
            committer: draft.committer, signingKey: draft.signingKey)
        guard let hostCommits, !draft.isPlan else { return commit }
        try checkPermit()
        return try await hostCommits.commit(draft, like: commit, on: base, in: mirror)
    }

    package func push(
        _ proposal: ProposedCommit, to branch: String, expecting: ObjectID?, force: Bool
    ) async throws(GitError) -> PushOutcome {
        try await renewCredentials()
        try checkPermit()
        return try await mirror.push(proposal.id, to: branch, expecting: expecting, force: force)
    }

    package func deleteBranch(_ branch: String, expecting: ObjectID) async throws(GitError) -> PushOutcome {
        try checkPermit()
        return try await mirror.deleteBranch(branch, expecting: expecting)
    }

    package func pushNote(
        _ text: String, on proposal: ProposedCommit, reference: String
    ) async throws(GitError) {
        try checkPermit()
        try await mirror.pushNote(
            text, on: proposal.id, reference: reference, author: proposal.author, committer: proposal.committer)
    }
}

extension MirrorRemote {
    private func checkPermit() throws(GitError) {
        do throws(AgentError) { try permit.check() } catch {
            throw GitError(.cancelled, error.summary, cause: error.cause, hint: error.hint)
        }
    }
}

/// A URL for messages: nothing of it where something could be a secret.
enum ShownURL {
    static func text(_ url: String) -> String { mayHoldSecret(url) ? "(its URL may hold a secret)" : url }

    /// A query, a password, or over HTTP a user name, which may be a token. SSH's user is no secret.
    static func mayHoldSecret(_ url: String) -> Bool {
        if url.contains("?") { return true }
        guard let at = url.lastIndex(of: "@") else { return false }
        guard url.hasPrefix("ssh://") else { return url.contains("://") }
        return url[..<at].dropFirst("ssh://".count).contains(":")
    }
}
