import Forge
import Git
import Template

/// Pull requests for the agent's branches.
struct PullRequests: Sendable {
    let forge: any Forge
    let settings: AgentConfiguration.PullRequestSettings
    /// The watched branch, which they are to be merged into.
    let base: String
    let commits: CommitBuilder

    /// Sees to it that the branch has one open pull request that says what is in it. Run again, it finds its own work.
    func request(
        _ branch: String, at head: ObjectID, message: String, _ changes: ChangeSet, on revision: Commit,
        in cycle: CycleRecorder
    ) async throws(ReconcileError) {
        guard !cycle.dryRun else { return }
        let (title, body) = try await cycle.phase(.commit, subject: branch) {
            try words(message: message, changes, on: revision)
        }
        let existing = try await cycle.phase(.publish, subject: branch) {
            try await forge.find(head: branch, base: base)
        }
        if let existing, existing.state == .open {
            if existing.body != body || !existing.title.hasSuffix(title) {
                try await cycle.phase(.publish, subject: branch) {
                    try await forge.update(existing, title: title, body: body)
                }
                cycle.announce("Pull request renewed: \(existing.url)")
            }
            cycle.requested(.init(number: existing.number, url: existing.url, branch: branch, title: title))
            return
        }
        if let existing, existing.state == .closed, existing.head == head.description {
            cycle.decide(
                "branch \(branch)", "no pull request opened: somebody closed \(existing.url) with the same change",
                remedy: "open it again, or remove the branch to get a new one")
            return
        }
        let draft = PullRequestDraft(head: branch, base: base, title: title, body: body, options: settings.options)
        let (made, warnings) = try await cycle.phase(.publish, subject: branch) { try await forge.open(draft) }
        cycle.announce("Pull request opened: \(made.url)")
        for warning in warnings { cycle.decide("pull request \(made.url)", warning) }
        cycle.requested(.init(number: made.number, url: made.url, branch: branch, title: title))
    }

    /// Closes the pull request of a branch that is about to be removed.
    func withdraw(_ branch: String, in cycle: CycleRecorder) async throws {
        guard let open = try await forge.find(head: branch, base: base), open.state == .open else { return }
        try await forge.close(
            open, comment: "This change is on `\(base)` already, or another one took its place.")
        cycle.announce("Pull request closed: \(open.url)")
    }

    /// Title and description: from the templates, else the commit message's first line and what is changed.
    private func words(
        message: String, _ changes: ChangeSet, on revision: Commit
    ) throws -> (title: String, body: String) {
        let values = commits.values(of: changes, on: revision)
        var title = String(message.prefix { $0 != "\n" })
        if let template = settings.title {
            title = try template.render(values).split(whereSeparator: \.isNewline).first.map(String.init) ?? title
        }
        var body = "| file | workload | container | old | new |\n| --- | --- | --- | --- | --- |\n"
        if let template = settings.body {
            body = try template.render(values)
        } else {
            for update in changes.updates {
                let cells = [
                    "\(update.file):\(update.line)", update.workload, update.container, update.old, update.new,
                ]
                body += "| " + cells.map(Self.cell).joined(separator: " | ") + " |\n"
            }
        }
        while let last = body.last, last.isWhitespace { body.removeLast() }
        return (String(title.prefix(250)), String(body.prefix(60_000)))
    }

    /// Code in a table's cell: nothing in a name can become markup or mention anybody.
    private static func cell(_ text: String) -> String {
        "`" + String(text.map { $0 == "`" || $0 == "|" || $0.isNewline ? "?" : $0 }) + "`"
    }
}
