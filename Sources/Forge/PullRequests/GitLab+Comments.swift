import HTTP

/// GitLab calls them notes; what it notes by itself is among them.
extension GitLab {
    private struct Note: Decodable, Sendable {
        let id: Int
        let body: String?
        let author: Answer.User?
        let system: Bool?
    }

    private static let notePage = 100
    private static let notePages = 10

    func comments(on pullRequest: PullRequest) async throws(ForgeError) -> [PullRequestComment] {
        var all: [PullRequestComment] = []
        for page in 1...Self.notePages {
            let found = try await client.page(
                try url(
                    ["merge_requests", String(pullRequest.number), "notes"],
                    [
                        ("sort", "asc"), ("order_by", "created_at"), ("per_page", String(Self.notePage)),
                        ("page", String(page)),
                    ]), as: [Note].self, limit: Self.notePage)
            all += (found?.items ?? []).filter { $0.system != true }.map {
                PullRequestComment(id: String($0.id), body: $0.body ?? "", author: $0.author?.username)
            }
            if found?.hasNext != true { break }
        }
        return all
    }

    func comment(_ body: String, on pullRequest: PullRequest) async throws(ForgeError) {
        let _: ForgeClient.Ignored = try await client.send(
            "POST", try url(["merge_requests", String(pullRequest.number), "notes"]), ["body": body])
    }

    func edit(
        _ comment: PullRequestComment, to body: String, on pullRequest: PullRequest
    ) async throws(ForgeError) {
        let _: ForgeClient.Ignored = try await client.send(
            "PUT", try url(["merge_requests", String(pullRequest.number), "notes", comment.id]), ["body": body])
    }
}
