import Diagnostics
import Git
import ManifestUpdater
import OCI
import Template

extension Reconciler {
    /// A commit in the mirror's object database that no branch names yet.
    struct Proposal: Sendable {
        let id: ObjectID
        let message: String
        let diff: String
        let edits: Edits

        var subject: String { String(message.prefix { $0 != "\n" }) }
    }

    /// Makes the commit: no work tree, no index, no reference.
    func commit(_ edits: Edits, on revision: Commit) async throws -> Proposal {
        let settings = tools.git
        let message = try message(of: edits, on: revision)
        let (author, committer) = signatures()
        let id = try await tools.mirror.git.createCommit(
            parent: revision.id, edits: edits.files, message: message, author: author, committer: committer,
            signingKey: settings.commit.signing)
        // A key that the repository's own rule does not trust would make the next cycle stop at this commit.
        if settings.pushBranch == nil {
            try await tools.mirror.git.verify(
                id, branch: "slipway-proposal", mode: settings.verification.mode == .none ? .none : .head,
                trust: settings.verification.trust)
        }
        let diff = try await tools.mirror.git.diff(from: revision.id, to: id)
        return Proposal(id: id, message: message, diff: diff, edits: edits)
    }

    func signatures() -> (author: Signature, committer: Signature) {
        let git = tools.git
        let now = tools.clock.now
        return (
            Signature(name: git.authorName, email: git.authorEmail, time: now),
            Signature(
                name: git.committerName ?? git.authorName, email: git.committerEmail ?? git.authorEmail, time: now)
        )
    }

    /// The message in the template's words, or Flux v1's; then what CI servers look for; then the trailers.
    func message(of edits: Edits, on revision: Commit) throws -> String {
        let settings = tools.git.commit
        var body: String
        if let template = settings.message {
            body = try template.render(values(of: edits, on: revision))
            while let first = body.first, first.isNewline { body.removeFirst() }
        } else {
            body = CommitMessage.automated(images: edits.updates.map { $0.image ?? $0.new })
        }
        while let last = body.last, last.isWhitespace { body.removeLast() }
        body = String(body.map { $0 == "\r\n" ? "\n" : $0 })
        guard !body.isEmpty, !body.utf8.contains(0) else {
            throw AgentError("the commit message's template gives no text", hint: "see 'git.commit.message'")
        }
        if let skip = settings.ciSkip { body += "\n\n" + skip }
        return CommitTrailer.appended(edits.updates.map(CommitTrailer.line), to: body)
    }

    func values(of edits: Edits, on revision: Commit) -> TemplateValue {
        CommitValues(
            repository: repository, settings: tools.git.commit, revision: revision.id, updates: edits.updates
        ).root
    }

    /// Pushes a commit, provided that the branch is still where the edits were computed.
    func publish(_ commit: ObjectID, to branch: String, expecting: ObjectID?, force: Bool = false) async throws
        -> PushOutcome
    {
        try await tools.mirror.git.push(commit, to: branch, expecting: expecting, force: force)
    }

    /// Attaches the note that Flux v1 would have written. It is for people and their tools: without it nothing is lost.
    func note(_ proposal: Proposal, in cycle: inout Cycle) async {
        guard let reference = tools.git.commit.notes else { return }
        let (author, committer) = signatures()
        do {
            let text = try FluxNote.json(proposal.edits.updates, subject: proposal.subject)
            try await tools.mirror.git.pushNote(
                text, on: proposal.id, reference: reference, author: author, committer: committer)
        } catch {
            let words = (error as? any Diagnostic).map { $0.summary + ($0.cause.map { ": \($0)" } ?? "") } ?? "\(error)"
            cycle.decide("commit \(proposal.id.short)", "no note was attached: \(words)")
        }
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

/// The JSON of Flux v1's git notes, for tools that read them: what was asked for, and what was done to each workload.
enum FluxNote {
    private struct Note: Encodable {
        let jobID: String
        let spec: Specification
        let result: [String: WorkloadResult]
    }

    private struct Specification: Encodable {
        struct Cause: Encodable {
            let Message: String
            let User: String
        }

        struct Automated: Encodable { let Changes: [Change] }

        let type = "auto"
        let cause: Cause
        let spec: Automated
    }

    private struct Change: Encodable {
        struct Container: Encodable {
            let Name: String
            let Image: String
        }

        let WorkloadID: String
        let Container: Container
        let ImageID: String
    }

    private struct WorkloadResult: Encodable {
        struct Container: Encodable {
            let Container: String
            let Current: String
            let Target: String
        }

        let Status = "success"
        let PerContainer: [Container]
    }

    static func json(_ updates: [CycleReport.Update], subject: String) throws -> String {
        // A job's name in the form of a UUID, the same for the same change.
        let digits = Digest.sha256(of: Array(updates.map(CommitTrailer.line).joined(separator: "\n").utf8)).encoded
        var job = ""
        for (index, digit) in digits.prefix(32).enumerated() {
            if [8, 12, 16, 20].contains(index) { job += "-" }
            job.append(digit)
        }
        let note = Note(
            jobID: job,
            spec: Specification(
                cause: .init(Message: "", User: ""),
                spec: .init(
                    Changes: updates.map {
                        Change(
                            WorkloadID: $0.workload, Container: .init(Name: $0.container, Image: $0.old),
                            ImageID: $0.new)
                    })),
            result: Dictionary(grouping: updates, by: \.workload).mapValues {
                WorkloadResult(
                    PerContainer: $0.map { .init(Container: $0.container, Current: $0.old, Target: $0.new) })
            })
        return String(decoding: try CanonicalJSON.encode(note), as: UTF8.self)
    }
}
