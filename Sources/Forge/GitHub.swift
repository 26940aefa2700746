import HTTP

/// GitHub's REST API (docs.github.com/rest/pulls), version 2022-11-28; also of GitHub Enterprise Server.
struct GitHub: Forge {
    let project: ForgeProject
    let client: ForgeClient

    /// The newest list.
    let newest = RecentList()

    struct Answer: Decodable, Sendable {
        struct Branch: Decodable, Sendable {
            struct Repository: Decodable, Sendable { let id: Int }

            let sha: String
            let ref: String
            let repo: Repository?
        }

        struct AutoMergeSetting: Decodable, Sendable {}

        let number: Int
        let html_url: String
        let state: String
        let title: String
        let body: String?
        let merged_at: String?
        let node_id: String?
        let head: Branch
        let base: Branch
        let user: ForgeUser?
        let auto_merge: AutoMergeSetting?
        /// Only where one is asked for.
        let mergeable_state: String?

        var value: PullRequest {
            var value = PullRequest(
                number: number, url: html_url, state: merged_at != nil ? .merged : state == "open" ? .open : .closed,
                title: title, body: body ?? "", head: head.sha, branch: head.ref, isAutoMerge: auto_merge != nil)
            value.node = node_id
            value.author = user?.login
            return value
        }

        /// `nil` for another repository's branch.
        var own: PullRequest? { head.repo != nil && head.repo?.id == base.repo?.id ? value : nil }
    }

    private static let pageSize = 100

    static let headers: HTTPHeaders = [
        "Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28",
    ]

    private var owner: String { String(project.path.prefix { $0 != "/" }) }

    func url(_ parts: [String], _ query: [(String, String)] = []) throws(ForgeError) -> HTTPURL {
        try project.url(["repos"] + project.path.split(separator: "/").map(String.init) + parts, query)
    }

    func recent(base: String, prefix: String) async throws(ForgeError) -> RecentPullRequests {
        try await newest.list(
            client,
            try url(
                ["pulls"],
                [
                    ("state", "all"), ("base", base), ("sort", "updated"), ("direction", "desc"),
                    ("per_page", String(Self.pageSize)),
                ]), as: [Answer].self, limit: Self.pageSize, prefix: prefix, headers: Self.headers
        ) { $0.own }
    }

    func find(head: String, base: String) async throws(ForgeError) -> [PullRequest] {
        let found: [Answer] = try await client.get(
            try url(
                ["pulls"],
                [
                    ("state", "all"), ("head", "\(owner):\(head)"), ("base", base), ("sort", "created"),
                    ("direction", "desc"), ("per_page", String(Self.pageSize)),
                ]), headers: Self.headers)
        return found.compactMap(\.own)
    }

    func open(_ draft: PullRequestDraft) async throws(ForgeError) -> (pullRequest: PullRequest, warnings: [String]) {
        struct Request: Encodable {
            let title: String
            let head: String
            let base: String
            let body: String
            let draft: Bool
            let maintainer_can_modify = true
        }
        let answer: Answer = try await client.send(
            "POST", try url(["pulls"]),
            Request(
                title: draft.title, head: draft.head, base: draft.base, body: draft.body, draft: draft.options.isDraft),
            headers: Self.headers)
        let made = answer.value
        return (made, await decorate(made, draft.options))
    }

    /// Labels, reviewers and assignees have addresses of their own.
    private func decorate(_ made: PullRequest, _ options: PullRequestOptions) async -> [String] {
        let number = String(made.number)
        var warnings: [String?] = []
        if !options.labels.isEmpty {
            warnings.append(
                await warning("labels were not set") { () throws(ForgeError) in
                    let _: ForgeClient.Ignored = try await client.send(
                        "POST", try url(["issues", number, "labels"]), ["labels": options.labels], headers: Self.headers
                    )
                })
        }
        if !options.assignees.isEmpty {
            warnings.append(
                await warning("assignees were not set") { () throws(ForgeError) in
                    let _: ForgeClient.Ignored = try await client.send(
                        "POST", try url(["issues", number, "assignees"]), ["assignees": options.assignees],
                        headers: Self.headers)
                })
        }
        if !options.reviewers.isEmpty {
            let teams = options.reviewers.filter { $0.contains("/") }.compactMap {
                $0.split(separator: "/").last.map(String.init)
            }
            let people = options.reviewers.filter { !$0.contains("/") }
            warnings.append(
                await warning("reviews were not requested") { () throws(ForgeError) in
                    let _: ForgeClient.Ignored = try await client.send(
                        "POST", try url(["pulls", number, "requested_reviewers"]),
                        ["reviewers": people, "team_reviewers": teams], headers: Self.headers)
                })
        }
        return warnings.compactMap { $0 }
    }

    func update(_ pullRequest: PullRequest, title: String?, body: String) async throws(ForgeError) {
        var words = ["body": body]
        words["title"] = title
        let _: ForgeClient.Ignored = try await client.send(
            "PATCH", try url(["pulls", String(pullRequest.number)]), words, headers: Self.headers)
    }

    func close(_ pullRequest: PullRequest, body: String, comment: String) async throws(ForgeError) {
        try await self.comment(comment, on: pullRequest)
        let _: ForgeClient.Ignored = try await client.send(
            "PATCH", try url(["pulls", String(pullRequest.number)]), ["state": "closed", "body": body],
            headers: Self.headers)
    }
}
