import HTTP

/// GitHub's REST API (docs.github.com/rest/pulls), version 2022-11-28; also of GitHub Enterprise Server. Auto-merge is only in
/// its GraphQL API.
struct GitHub: Forge {
    let project: ForgeProject
    let client: ForgeClient

    private struct Answer: Decodable {
        struct Branch: Decodable { let sha: String }

        let number: Int
        let html_url: String
        let state: String
        let title: String
        let body: String?
        let merged_at: String?
        let node_id: String?
        let head: Branch

        var value: PullRequest {
            PullRequest(
                number: number, url: html_url, state: merged_at != nil ? .merged : state == "open" ? .open : .closed,
                title: title, body: body ?? "", head: head.sha, node: node_id)
        }
    }

    private static let headers: HTTPHeaders = [
        "Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28",
    ]

    private var owner: String { String(project.path.prefix { $0 != "/" }) }

    private func url(_ parts: [String], _ query: [(String, String)] = []) throws(ForgeError) -> HTTPURL {
        try project.url(["repos"] + project.path.split(separator: "/").map(String.init) + parts, query)
    }

    func find(head: String, base: String) async throws(ForgeError) -> PullRequest? {
        let found: [Answer] = try await client.get(
            try url(
                ["pulls"],
                [
                    ("state", "all"), ("head", "\(owner):\(head)"), ("base", base), ("sort", "created"),
                    ("direction", "desc"), ("per_page", "10"),
                ]), headers: Self.headers)
        let all = found.map(\.value)
        return all.first { $0.state == .open } ?? all.first
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

    /// Labels, reviewers, assignees and auto-merge have addresses of their own.
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
        if let method = options.autoMerge {
            warnings.append(
                await warning("auto-merge was not turned on") { () throws(ForgeError) in
                    try await enableAutoMerge(made, method)
                })
        }
        return warnings.compactMap { $0 }
    }

    private func enableAutoMerge(
        _ made: PullRequest, _ method: PullRequestOptions.MergeMethod
    ) async throws(ForgeError) {
        struct Request: Encodable {
            let query: String
            let variables: [String: String]
        }
        struct Answer: Decodable {
            struct Problem: Decodable { let message: String }

            let errors: [Problem]?
        }
        guard let node = made.node else { throw ForgeError(.unexpectedAnswer, "the pull request has no node_id") }
        // https://api.github.com/graphql, and at GitHub Enterprise Server https://HOST/api/graphql beside /api/v3.
        var base = project.api.text
        while base.hasSuffix("/") { base.removeLast() }
        if base.hasSuffix("/api/v3") { base.removeLast(3) } else { base += "/" }
        let address: HTTPURL
        do { address = try HTTPURL(base + "graphql") } catch { throw ForgeError(error) }
        let answer: Answer = try await client.send(
            "POST", address,
            Request(
                query:
                    "mutation($id: ID!, $method: PullRequestMergeMethod!) { enablePullRequestAutoMerge(input: "
                    + "{pullRequestId: $id, mergeMethod: $method}) { clientMutationId } }",
                variables: ["id": node, "method": method.rawValue.uppercased()]), headers: Self.headers)
        if let problem = answer.errors?.first {
            throw ForgeError(.refused, "GitHub refuses it", cause: String(problem.message.prefix(300)))
        }
    }

    func update(_ pullRequest: PullRequest, title: String, body: String) async throws(ForgeError) {
        let _: ForgeClient.Ignored = try await client.send(
            "PATCH", try url(["pulls", String(pullRequest.number)]), ["title": title, "body": body],
            headers: Self.headers)
    }

    func close(_ pullRequest: PullRequest, comment: String) async throws(ForgeError) {
        let number = String(pullRequest.number)
        let _: ForgeClient.Ignored = try await client.send(
            "POST", try url(["issues", number, "comments"]), ["body": comment], headers: Self.headers)
        let _: ForgeClient.Ignored = try await client.send(
            "PATCH", try url(["pulls", number]), ["state": "closed"], headers: Self.headers)
    }
}
