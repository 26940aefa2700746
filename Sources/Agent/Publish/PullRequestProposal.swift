import Forge
import Git
import Template

/// What a branch is to hold, and what its pull request says about it.
struct PullRequestProposal: Sendable {
    let branch: String
    let title: String
    /// Without a marker.
    let text: String
    let marker: PullRequestMarker
    let updates: [CycleReport.Update]
    /// Whether a person asked for it by a command.
    let isCommand: Bool

    /// In the words of the templates, else in the commit message's first line and a table of what is changed.
    init(
        _ changes: ChangeSet, branch: String, message: String, isCommand: Bool, values: TemplateValue,
        settings: AgentConfiguration.PullRequestSettings, limits: PullRequestLimits
    ) throws {
        self.branch = branch
        self.isCommand = isCommand
        updates = changes.updates
        marker = PullRequestMarker(of: changes.updates, limit: limits.changes)
        var title = String(message.prefix { $0 != "\n" })
        if let template = settings.title {
            title = try template.render(values).split(whereSeparator: \.isNewline).first.map(String.init) ?? title
        }
        self.title = String(title.prefix(250))
        var text: String
        if let template = settings.body {
            text = PullRequestMarker.text(of: try template.render(values))
        } else {
            text = "| file | workload | container | old | new |\n| --- | --- | --- | --- | --- |\n"
            for update in changes.updates {
                let cells = [
                    "\(update.file):\(update.line)", update.workload, update.container, update.old, update.new,
                ]
                text += "| " + cells.map(Self.cell).joined(separator: " | ") + " |\n"
            }
        }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        self.text = text
    }

    /// Code in a table's cell: nothing in a name can become markup or mention anybody.
    private static func cell(_ text: String) -> String {
        "`" + String(text.map { $0 == "`" || $0 == "|" || $0.isNewline ? "?" : $0 }) + "`"
    }

    func question(at head: ObjectID?) -> PullRequestIndex.Question {
        PullRequestIndex.Question(branch: branch, head: head?.description, changes: marker.changes)
    }
}
