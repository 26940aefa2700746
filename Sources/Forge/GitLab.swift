import HTTP

/// GitLab's API, version 4 (docs.gitlab.com/api/merge_requests).
struct GitLab: Forge {
    let project: ForgeProject
    let client: ForgeClient

    /// The newest list.
    let newest = RecentList()

    private static let pageSize = 100

    struct Answer: Decodable, Sendable {
        struct Pipeline: Decodable, Sendable {}
        struct User: Decodable, Sendable { let username: String }

        let iid: Int
        let web_url: String
        let state: String
        let title: String
        let description: String?
        let sha: String?
        let source_branch: String
        let source_project_id: Int?
        let target_project_id: Int?
        let author: User?
        let merge_when_pipeline_succeeds: Bool?
        let detailed_merge_status: String?
        /// Only where one is asked for.
        let head_pipeline: Pipeline?

        var value: PullRequest {
            var value = PullRequest(
                number: iid, url: web_url, state: state == "merged" ? .merged : state == "opened" ? .open : .closed,
                title: title, body: description ?? "", head: sha ?? "", branch: source_branch,
                isAutoMerge: merge_when_pipeline_succeeds ?? false)
            value.author = author?.username
            return value
        }

        /// `nil` for another project's branch.
        var own: PullRequest? { source_project_id != nil && source_project_id == target_project_id ? value : nil }
    }

    private static let draftPrefix = "Draft: "

    func url(_ parts: [String], _ query: [(String, String)] = []) throws(ForgeError) -> HTTPURL {
        // The whole path of the project is one part: its slashes are encoded.
        try project.url(["projects", project.path] + parts, query)
    }

    func recent(base: String, prefix: String) async throws(ForgeError) -> RecentPullRequests {
        try await newest.list(
            client,
            try url(
                ["merge_requests"],
                [
                    ("state", "all"), ("target_branch", base), ("order_by", "updated_at"), ("sort", "desc"),
                    ("per_page", String(Self.pageSize)),
                ]), as: [Answer].self, limit: Self.pageSize, prefix: prefix
        ) { $0.own }
    }

    func find(head: String, base: String) async throws(ForgeError) -> [PullRequest] {
        let found: [Answer] = try await client.get(
            try url(
                ["merge_requests"],
                [
                    ("state", "all"), ("source_branch", head), ("target_branch", base), ("order_by", "created_at"),
                    ("sort", "desc"), ("per_page", String(Self.pageSize)),
                ]))
        return found.compactMap(\.own)
    }

    func open(_ draft: PullRequestDraft) async throws(ForgeError) -> (pullRequest: PullRequest, warnings: [String]) {
        struct Request: Encodable {
            let source_branch: String
            let target_branch: String
            let title: String
            let description: String
            let labels: String?
            let reviewer_ids: [Int]?
            let assignee_ids: [Int]?
            let remove_source_branch = true
            let squash: Bool?
        }
        var warnings: [String] = []
        let reviewers = await identifiers(draft.options.reviewers, &warnings)
        let assignees = await identifiers(draft.options.assignees, &warnings)
        let answer: Answer = try await client.send(
            "POST", try url(["merge_requests"]),
            Request(
                source_branch: draft.head, target_branch: draft.base,
                title: (draft.options.isDraft ? Self.draftPrefix : "") + draft.title, description: draft.body,
                labels: draft.options.labels.isEmpty ? nil : draft.options.labels.joined(separator: ","),
                reviewer_ids: reviewers.isEmpty ? nil : reviewers, assignee_ids: assignees.isEmpty ? nil : assignees,
                squash: draft.options.autoMerge == .squash ? true : nil))
        if draft.options.autoMerge == .rebase {
            warnings.append("GitLab chooses rebase or merge by the project's setting")
        }
        return (answer.value, warnings)
    }

    /// GitLab takes people by number.
    private func identifiers(_ names: [String], _ warnings: inout [String]) async -> [Int] {
        struct User: Decodable { let id: Int }
        var result: [Int] = []
        for name in names {
            let found: [User]
            do {
                found = try await client.get(try project.url(["users"], [("username", name)]))
            } catch {
                warnings.append("the user '\(name)' was not looked up: \(error.summary)")
                continue
            }
            if let user = found.first { result.append(user.id) } else { warnings.append("there is no user '\(name)'") }
        }
        return result
    }

    func update(_ pullRequest: PullRequest, title: String?, body: String) async throws(ForgeError) {
        // A draft stays one until people say otherwise.
        let prefix = pullRequest.title.hasPrefix(Self.draftPrefix) ? Self.draftPrefix : ""
        var words = ["description": body]
        words["title"] = title.map { prefix + $0 }
        let _: ForgeClient.Ignored = try await client.send(
            "PUT", try url(["merge_requests", String(pullRequest.number)]), words)
    }

    func close(_ pullRequest: PullRequest, body: String, comment: String) async throws(ForgeError) {
        try await self.comment(comment, on: pullRequest)
        let _: ForgeClient.Ignored = try await client.send(
            "PUT", try url(["merge_requests", String(pullRequest.number)]),
            ["state_event": "close", "description": body])
    }
}
