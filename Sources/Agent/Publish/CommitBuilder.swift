package import Git
import ManifestUpdater
import Template

/// A commit in the object database that no branch names yet.
package struct ProposedCommit: Sendable {
    package let id: ObjectID
    package let message: String
    package let author: Signature
    package let committer: Signature
    let diff: String
    let changes: ChangeSet
    /// The accepted head that it was made on, straight or by way of others.
    let head: TrustedHead

    /// The message's first line.
    package var subject: String { String(message.prefix { $0 != "\n" }) }

    fileprivate init(id: ObjectID, draft: CommitDraft, diff: String, changes: ChangeSet, head: TrustedHead) {
        self.id = id
        message = draft.message
        author = draft.author
        committer = draft.committer
        self.diff = diff
        self.changes = changes
        self.head = head
    }
}

/// Makes commits from changes: no work tree, no index, no reference. The only caller of `GitRemote.createCommit`.
struct CommitBuilder: Sendable {
    let repository: AgentConfiguration.RepositoryConfiguration
    let settings: AgentConfiguration.GitConfiguration
    let remote: any GitRemote
    let clock: any AgentClock

    /// The same with what an object of the repository says where the configuration says nothing.
    func completed(by writeBack: WriteBack?) throws(AgentError) -> CommitBuilder {
        CommitBuilder(
            repository: repository, settings: try settings.completed(by: writeBack), remote: remote, clock: clock)
    }

    /// - Parameter isPlan: whether it is to be shown, and never pushed.
    func commit(
        _ changes: ChangeSet, for command: PersonalCommand?, on base: CommitBase, isPlan: Bool
    ) async throws -> ProposedCommit {
        let (author, committer) = signatures()
        let draft = CommitDraft(
            files: changes.files, message: try message(of: changes, for: command, on: base.commit), author: author,
            committer: committer, signingKey: settings.commit.signing, isPlan: isPlan)
        let id = try await remote.createCommit(draft, on: base)
        // A key that the repository's own rule does not trust would make the next cycle stop at this commit.
        if settings.pushBranch == nil, settings.verification.mode != .none {
            var ownRule = settings.verification
            ownRule.mode = .head
            try await remote.verify(id, branch: "slipway-proposal", by: ownRule)
        }
        let diff = try await remote.diff(from: base.commit.id, to: id)
        return ProposedCommit(id: id, draft: draft, diff: diff, changes: changes, head: base.head)
    }

    private func signatures() -> (author: Signature, committer: Signature) {
        let now = clock.now
        return (
            Signature(name: settings.authorName, email: settings.authorEmail, time: now),
            Signature(
                name: settings.committerName ?? settings.authorName,
                email: settings.committerEmail ?? settings.authorEmail, time: now)
        )
    }

    /// The message in the template's words, or Flux v1's; then what CI servers look for; then the trailers.
    func message(
        of changes: ChangeSet, for command: PersonalCommand?, on revision: Commit
    ) throws -> String {
        var body: String
        if let command {
            body = command.message(changes.updates)
        } else if let template = settings.commit.message {
            body = try template.render(values(of: changes, on: revision))
            while let first = body.first, first.isNewline { body.removeFirst() }
        } else {
            body = CommitMessage.automated(images: changes.updates.map { $0.image ?? $0.new })
        }
        while let last = body.last, last.isWhitespace { body.removeLast() }
        body = String(body.map { $0 == "\r\n" ? "\n" : $0 })
        guard !body.isEmpty, !body.utf8.contains(0) else {
            throw AgentError("the commit message's template gives no text", hint: "see 'git.commit.message'")
        }
        if let skip = settings.commit.ciSkip { body += "\n\n" + skip }
        var trailers = changes.updates.map(CommitTrailer.line)
        if let command { trailers += CommitTrailer.lines(command) }
        return CommitTrailer.appended(trailers, to: body)
    }

    /// What templates see of changes.
    func values(of changes: ChangeSet, on revision: Commit) -> TemplateValue {
        CommitValues(
            repository: repository, settings: settings.commit, revision: revision.id, updates: changes.updates
        ).root
    }
}
