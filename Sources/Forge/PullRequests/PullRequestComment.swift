/// A comment on a pull request.
package struct PullRequestComment: Sendable, Equatable {
    /// The host's name for it.
    package let id: String
    package var body: String
    /// The account that wrote it.
    package let author: String?
    /// Bitbucket Data Center: which edit of it this is.
    let version: Int?

    package init(id: String, body: String, author: String?, version: Int? = nil) {
        self.id = id
        self.body = body
        self.author = author
        self.version = version
    }
}

extension Forge {
    /// Sees to it that a pull request has one comment of the agent's that says `text`. It is known again by a line that is not
    /// shown and by its author, who must be the pull request's own: anybody may write such a line. One that is there is edited.
    ///
    /// - Returns: whether anything was written.
    @discardableResult
    package func keepComment(_ text: String, on pullRequest: PullRequest) async throws(ForgeError) -> Bool {
        let body = text + "\n\n" + KeptComment.line
        let kept = try await comments(on: pullRequest).first {
            KeptComment.isIn($0.body) && $0.author != nil && $0.author == pullRequest.author
        }
        guard let kept else {
            try await comment(body, on: pullRequest)
            return true
        }
        guard !KeptComment.isSame(kept.body, body) else { return false }
        try await edit(kept, to: body, on: pullRequest)
        return true
    }
}

private enum KeptComment {
    static let line = "<!-- slipway-comment: what this update changes -->"

    static func isIn(_ body: String) -> Bool {
        body.split(whereSeparator: \.isNewline).contains { trimmed($0) == line }
    }

    /// Hosts change line ends, and spaces at the end.
    static func isSame(_ one: String, _ other: String) -> Bool { lines(one) == lines(other) }

    private static func lines(_ text: String) -> [Substring] {
        text.split(whereSeparator: \.isNewline).map(trimmed).filter { !$0.isEmpty }
    }

    private static func trimmed(_ line: Substring) -> Substring {
        var line = line
        while line.last?.isWhitespace == true { line.removeLast() }
        return line
    }
}

/// An account of GitHub's or Gitea's.
struct ForgeUser: Decodable, Sendable { let login: String }

/// A comment of GitHub's or Gitea's: those of pull requests are those of issues.
struct IssueComment: Decodable, Sendable {
    let id: Int
    let body: String?
    let user: ForgeUser?

    var value: PullRequestComment {
        PullRequestComment(id: String(id), body: body ?? "", author: user?.login)
    }
}
