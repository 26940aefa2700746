import Diagnostics
import Git
import ManifestUpdater

extension Reconciler {
    /// A commit in the mirror's object database that no branch names yet.
    struct Proposal: Sendable {
        let id: ObjectID
        let message: String
        let diff: String

        var subject: String { String(message.prefix { $0 != "\n" }) }
    }

    /// Makes the commit: no work tree, no index, no reference.
    func commit(_ edits: Edits, on revision: Commit) async throws(GitError) -> Proposal {
        let images = Set(edits.updates.map(\.new)).sorted()
        var message = CommitMessage.automated(images: images)
        while message.hasSuffix("\n") { message.removeLast() }
        message += "\n\n" + edits.updates.map(CommitTrailer.line).joined(separator: "\n") + "\n"
        let author = Signature(
            name: tools.git.authorName, email: tools.git.authorEmail, time: tools.clock.now, offsetMinutes: 0)
        let id = try await tools.mirror.git.createCommit(
            parent: revision.id, edits: edits.files, message: message, author: author, committer: author)
        let diff = try await tools.mirror.git.diff(from: revision.id, to: id)
        return Proposal(id: id, message: message, diff: diff)
    }

    /// Pushes the commit, provided that the branch is still where the edits were computed.
    func publish(_ commit: Proposal, on revision: Commit) async throws(GitError) -> PushOutcome {
        try await tools.mirror.git.push(commit.id, to: repository.branch, expecting: revision.id)
    }
}

/// Runs a step of another module, and tells its failure as the agent's own.
func explained<Value>(_ body: () async throws -> Value) async throws(AgentError) -> Value {
    do {
        return try await body()
    } catch let error as AgentError {
        throw error
    } catch let error as any Diagnostic {
        throw AgentError(error.summary, place: error.place, cause: error.cause, hint: error.hint)
    } catch {
        throw AgentError("\(error)")
    }
}
