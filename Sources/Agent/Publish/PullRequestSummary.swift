import Git

/// The text of the comment that says what a pull request changes. What comes from elsewhere is shown as code: nothing in it can
/// become markup, or mention anybody.
struct PullRequestSummary: Sendable {
    let changes: [ImageChange]

    /// Bytes that every host takes.
    private static let limit = 30_000

    var text: String {
        var text = ""
        for change in changes {
            let section = Self.section(change)
            guard text.utf8.count + section.utf8.count <= Self.limit else {
                text += "… and more images, which the description names.\n"
                break
            }
            text += (text.isEmpty ? "" : "\n") + section
        }
        while text.last?.isNewline == true { text.removeLast() }
        return text
    }

    private static func section(_ change: ImageChange) -> String {
        var text = change.image.isEmpty ? "" : "**\(code(change.image))**\n\n"
        text += "| | old | new |\n| --- | --- | --- |\n"
        text += "| image | \(change.old.isEmpty ? "" : code(change.old)) | \(code(change.new)) |\n"
        if change.oldCommit != nil || change.newCommit != nil {
            let commits = [change.oldCommit, change.newCommit].map {
                $0.map { code(String($0.prefix(12))) } ?? "unknown"
            }
            text += "| source commit | \(commits[0]) | \(commits[1]) |\n"
        }
        if let commits = change.commits { text += "\n" + list(commits) }
        if let comparison = change.comparison { text += "\n[Compare the commits](\(comparison))\n" }
        return text
    }

    private static func list(_ commits: [Commit]) -> String {
        guard !commits.isEmpty else { return "No commits came in: the new image is of older source.\n" }
        var text = commits.count == 1 ? "1 commit came in:\n\n" : "\(commits.count) commits came in:\n\n"
        for commit in commits.prefix(ImageSources.limit) {
            text += "- \(code(commit.id.short)) \(code(String(commit.subject.prefix(100))))\n"
        }
        if commits.count > ImageSources.limit { text += "- … and \(commits.count - ImageSources.limit) more\n" }
        return text
    }

    /// Code, also within a table's cell.
    static func code(_ text: String) -> String {
        "`"
            + String(
                text.unicodeScalars.map { scalar -> Character in
                    scalar == "`" || scalar == "|" || scalar.properties.generalCategory == .control
                        ? "?" : Character(scalar)
                }) + "`"
    }
}
