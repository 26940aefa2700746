import HTTP

extension GitHub {
    private static let commentPage = 100
    private static let commentPages = 10

    func comments(on pullRequest: PullRequest) async throws(ForgeError) -> [PullRequestComment] {
        var all: [PullRequestComment] = []
        for page in 1...Self.commentPages {
            let found = try await client.page(
                try url(
                    ["issues", String(pullRequest.number), "comments"],
                    [("per_page", String(Self.commentPage)), ("page", String(page))]), as: [IssueComment].self,
                limit: Self.commentPage, headers: Self.headers)
            all += (found?.items ?? []).map(\.value)
            if found?.hasNext != true { break }
        }
        return all
    }

    func comment(_ body: String, on pullRequest: PullRequest) async throws(ForgeError) {
        let _: ForgeClient.Ignored = try await client.send(
            "POST", try url(["issues", String(pullRequest.number), "comments"]), ["body": body],
            headers: Self.headers)
    }

    func edit(
        _ comment: PullRequestComment, to body: String, on pullRequest: PullRequest
    ) async throws(ForgeError) {
        let _: ForgeClient.Ignored = try await client.send(
            "PATCH", try url(["issues", "comments", comment.id]), ["body": body], headers: Self.headers)
    }
}
