import HTTP

extension Gitea {
    /// All at once: the list has no pages.
    func comments(on pullRequest: PullRequest) async throws(ForgeError) -> [PullRequestComment] {
        let found: [IssueComment] = try await client.get(
            try url(["issues", String(pullRequest.number), "comments"]))
        return found.map(\.value)
    }

    func comment(_ body: String, on pullRequest: PullRequest) async throws(ForgeError) {
        let _: ForgeClient.Ignored = try await client.send(
            "POST", try url(["issues", String(pullRequest.number), "comments"]), ["body": body])
    }

    func edit(
        _ comment: PullRequestComment, to body: String, on pullRequest: PullRequest
    ) async throws(ForgeError) {
        let _: ForgeClient.Ignored = try await client.send(
            "PATCH", try url(["issues", "comments", comment.id]), ["body": body])
    }
}
