package import Agent
package import Builder
package import Git
import OCI
import Synchronization

/// The agent's side of a `FakeGitHost`.
package struct FakeGitRemote: GitRemote {
    package let host: FakeGitHost
    package let displayURL: String

    package init(_ host: FakeGitHost, displayURL: String = "https://git.example.com/acme/shop.git") {
        self.host = host
        self.displayURL = displayURL
    }

    private func lookUp<Value>(_ value: Value?) throws(GitError) -> Value {
        guard let value else { throw GitError(.notFound, "it is not there") }
        return value
    }

    private func failure(_ verb: String) throws(GitError) {
        let error = host.state.withLock { state -> GitError? in
            guard state.failures[verb]?.isEmpty == false else { return nil }
            return state.failures[verb]?.removeFirst()
        }
        if let error { throw error }
    }

    // MARK: Fetching

    package func fetch(branch: String) async throws(GitError) -> FetchedHead {
        host.state.withLock { $0.fetches += 1 }
        try failure("fetch")
        guard let head = host.head(branch) else {
            throw GitError(.branchNotFound, "the repository has no branch '\(branch)'")
        }
        return FetchedHead(commit: head)
    }

    package func fetchIfPresent(branch: String) async throws(GitError) -> Commit? { host.head(branch) }

    package func advertisedBranches() async -> [String: ObjectID] { host.state.withLock { $0.branches } }

    package func verify(
        _ head: ObjectID, branch: String, by verification: AgentConfiguration.VerificationSettings
    ) async throws(GitError) {
        guard verification.mode != .none else { return }
        guard host.state.withLock({ $0.commits[head]?.isSigned }) == true else {
            throw GitError(.unverified, "the commit \(head.short) is not accepted: it is not signed")
        }
    }

    // MARK: Reading

    package func commit(_ id: ObjectID) async throws(GitError) -> Commit {
        try lookUp(host.state.withLock { $0.commits[id]?.commit })
    }

    package func entries(of id: ObjectID) async throws(GitError) -> [TreeEntry] {
        let files = try lookUp(host.state.withLock { $0.commits[id]?.files })
        return files.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map(Self.entry)
    }

    private static func entry(_ path: String, _ bytes: [UInt8]) -> TreeEntry {
        TreeEntry(pathBytes: Array(path.utf8), mode: .file, id: FakeGitHost.State.blob(bytes))
    }

    package func entry(at path: String, in id: ObjectID) async throws(GitError) -> TreeEntry? {
        host.state.withLock { $0.commits[id]?.files[path] }.map { Self.entry(path, $0) }
    }

    package func blob(_ id: ObjectID, limit: Int) async throws(GitError) -> [UInt8] {
        let bytes = try lookUp(host.state.withLock { $0.blobs[id] })
        guard bytes.count <= limit else { throw GitError(.tooLarge, "the file has \(bytes.count) bytes") }
        return bytes
    }

    package func read<Value: Sendable>(
        _ entries: [TreeEntry], limit: Int,
        _ body: @escaping @Sendable (TreeEntry, Result<[UInt8], GitError>) -> Value
    ) async -> [Value] {
        var values: [Value] = []
        for entry in entries {
            do throws(GitError) {
                values.append(body(entry, .success(try await blob(entry.id, limit: limit))))
            } catch {
                values.append(body(entry, .failure(error)))
            }
        }
        return values
    }

    package func log(
        from id: ObjectID, limit: Int, notReachableFrom old: ObjectID?
    ) async throws(GitError) -> [Commit] {
        try failure("log")
        return host.state.withLock { $0.log(from: id, limit: limit, notReachableFrom: old) }
    }

    package func changedPaths(from old: ObjectID?, to new: ObjectID) async throws(GitError) -> [String] {
        host.state.withLock { state in
            let before = old.flatMap { state.commits[$0]?.files } ?? [:]
            let after = state.commits[new]?.files ?? [:]
            return Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }.sorted()
        }
    }

    package func diff(from old: ObjectID?, to new: ObjectID) async throws(GitError) -> String {
        try await changedPaths(from: old, to: new).map { "changed \($0)\n" }.joined()
    }

    package func context(
        _ tree: RevisionTree, root: String, replacing replaced: [String: TreeEntry], fetching content: FetchedContent
    ) async throws(BuildError) -> any BuildContext {
        FakeContext(remote: self, entries: tree.entries.map { replaced[$0.path] ?? $0 }, root: root)
    }

    package func gitDirectory(
        of commit: Commit, branch: String, identifiedBy source: ObjectID
    ) async throws(GitError) -> any BuildContext { FakeGitDirectory(source: source) }

    // MARK: Writing

    package func createCommit(_ draft: CommitDraft, on base: CommitBase) async throws(GitError) -> ObjectID {
        host.state.withLock { state in
            var files = state.commits[base.commit.id]?.files ?? [:]
            files.merge(draft.files) { _, new in new }
            return state.store(
                files: files, parents: [base.commit.id], message: draft.message, author: draft.author,
                committer: draft.committer, isSigned: draft.signingKey != nil)
        }
    }

    package func push(
        _ proposal: ProposedCommit, to branch: String, expecting: ObjectID?, force: Bool
    ) async throws(GitError) -> PushOutcome {
        try failure("push")
        let race = host.state.withLock { $0.races.isEmpty ? nil : $0.races.removeFirst() }
        race?()
        return host.state.withLock { state in
            guard state.branches[branch] == expecting else {
                return .rejected(reason: "'\(branch)' moved", remoteHead: state.branches[branch])
            }
            state.branches[branch] = proposal.id
            return .pushed
        }
    }

    package func deleteBranch(_ branch: String, expecting: ObjectID) async throws(GitError) -> PushOutcome {
        host.state.withLock { state in
            guard state.branches[branch] == expecting else { return .rejected(reason: "moved", remoteHead: nil) }
            state.branches[branch] = nil
            return .pushed
        }
    }

    package func pushNote(
        _ text: String, on proposal: ProposedCommit, reference: String
    ) async throws(GitError) {
        host.state.withLock { $0.notes[proposal.id] = text }
    }
}

/// Files of a revision below a folder.
private struct FakeContext: BuildContext {
    let remote: FakeGitRemote
    let entries: [TreeEntry]
    let root: String

    var displayName: String { "the fake tree" }

    private var prefix: String { root.isEmpty ? "" : root + "/" }

    func entries(under folder: String) async throws(BuildError) -> [ContextEntry] {
        entries.filter { $0.path.hasPrefix(prefix) }.map {
            ContextEntry(
                pathBytes: Array($0.path.dropFirst(prefix.count).utf8), kind: .file, mode: 0o644, size: 0,
                contentID: "git:\($0.id)")
        }
    }

    func read(
        _ entry: ContextEntry, _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError) {
        throw BuildError(.context, "nothing is read from the fake tree", place: entry.path)
    }
}

/// A `.git` that has nothing but a HEAD.
private struct FakeGitDirectory: BuildContext {
    let source: ObjectID

    var displayName: String { ".git" }

    func entries(under folder: String) async throws(BuildError) -> [ContextEntry] {
        [ContextEntry(path: "HEAD", kind: .file, mode: 0o644, size: 40, contentID: "git-directory:\(source):HEAD")]
    }

    func read(
        _ entry: ContextEntry, _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError) {
        let bytes = Array("\(source)".utf8)
        let result: Result<Void, BuildError> = bytes.withUnsafeBytes { buffer in
            Result { () throws(BuildError) in try sink(buffer) }
        }
        try result.get()
    }
}
