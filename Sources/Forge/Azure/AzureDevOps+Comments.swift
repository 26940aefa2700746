import HTTP

/// Comments are in threads; the agent's thread is closed from its beginning, because policies may ask for all of them to be.
extension AzureDevOps {
    private struct Comment: Decodable, Sendable {
        let id: Int
        let content: String?
        let author: Identity?
    }

    private struct Thread: Decodable, Sendable {
        let id: Int
        let isDeleted: Bool?
        let comments: [Comment]?
    }

    private struct NewComment: Encodable {
        let parentCommentId = 0
        let content: String
        let commentType = "text"
    }

    private struct NewThread: Encodable {
        let comments: [NewComment]
        let status = "closed"
    }

    func comments(on pullRequest: PullRequest) async throws(ForgeError) -> [PullRequestComment] {
        let threads: AzureListing<Thread> = try await client.get(
            try url(["pullRequests", String(pullRequest.number), "threads"]))
        return threads.value.filter { $0.isDeleted != true }.flatMap { thread in
            (thread.comments ?? []).prefix(1).map {
                PullRequestComment(id: "\(thread.id)/\($0.id)", body: $0.content ?? "", author: $0.author?.id)
            }
        }
    }

    func comment(_ body: String, on pullRequest: PullRequest) async throws(ForgeError) {
        let _: ForgeClient.Ignored = try await client.send(
            "POST", try url(["pullRequests", String(pullRequest.number), "threads"]),
            NewThread(comments: [NewComment(content: body)]))
    }

    func edit(
        _ comment: PullRequestComment, to body: String, on pullRequest: PullRequest
    ) async throws(ForgeError) {
        let parts = comment.id.split(separator: "/").map(String.init)
        guard parts.count == 2 else {
            throw ForgeError(.invalid, "'\(comment.id)' names no comment", place: pullRequest.url)
        }
        let _: ForgeClient.Ignored = try await client.send(
            "PATCH", try url(["pullRequests", String(pullRequest.number), "threads", parts[0], "comments", parts[1]]),
            ["content": body])
    }
}
