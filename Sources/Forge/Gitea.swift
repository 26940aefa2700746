import HTTP

/// The API of Gitea and Forgejo, version 1 (docs.gitea.com/api, /api/swagger on each host).
struct Gitea: Forge {
    let project: ForgeProject
    let client: ForgeClient

    /// The newest list.
    let newest = RecentList()

    struct Answer: Decodable, Sendable {
        struct Branch: Decodable, Sendable {
            let ref: String
            let sha: String?
            let repo_id: Int?
        }

        let number: Int
        let html_url: String
        let state: String
        let title: String
        let body: String?
        let merged: Bool?
        let head: Branch
        let base: Branch
        let user: ForgeUser?

        var value: PullRequest {
            var value = PullRequest(
                number: number, url: html_url, state: merged == true ? .merged : state == "open" ? .open : .closed,
                title: title, body: body ?? "", head: head.sha ?? "", branch: head.ref)
            value.author = user?.login
            return value
        }

        /// `nil` for another repository's branch, or for one into another branch.
        func own(base: String) -> PullRequest? {
            self.base.ref == base && head.repo_id != nil && head.repo_id == self.base.repo_id ? value : nil
        }
    }

    private static let draftPrefix = "WIP: "
    /// Pages of 50 that are looked through; the newest come first.
    private static let pages = 10
    private static let pageSize = 50

    func url(_ parts: [String], _ query: [(String, String)] = []) throws(ForgeError) -> HTTPURL {
        try project.url(["repos"] + project.path.split(separator: "/").map(String.init) + parts, query)
    }

    func recent(base: String, prefix: String) async throws(ForgeError) -> RecentPullRequests {
        try await newest.list(
            client,
            try url(["pulls"], [("state", "all"), ("sort", "recentupdate"), ("limit", String(Self.pageSize))]),
            as: [Answer].self, limit: Self.pageSize, prefix: prefix
        ) { $0.own(base: base) }
    }

    func find(head: String, base: String) async throws(ForgeError) -> [PullRequest] {
        // The list takes no branch as a filter.
        var all: [PullRequest] = []
        for page in 1...Self.pages {
            let found = try await client.page(
                try url(
                    ["pulls"],
                    [("state", "all"), ("sort", "newest"), ("limit", String(Self.pageSize)), ("page", String(page))]),
                as: [Answer].self, limit: Self.pageSize)
            all += (found?.items ?? []).compactMap { $0.own(base: base) }.filter { $0.branch == head }
            if found?.hasNext != true || all.contains(where: { $0.state == .open }) { break }
        }
        return all.sorted { $0.number > $1.number }
    }

    func open(_ draft: PullRequestDraft) async throws(ForgeError) -> (pullRequest: PullRequest, warnings: [String]) {
        struct Request: Encodable {
            let head: String
            let base: String
            let title: String
            let body: String
            let labels: [Int]?
            let assignees: [String]?
        }
        var warnings: [String] = []
        let labels = await identifiers(draft.options.labels, &warnings)
        let answer: Answer = try await client.send(
            "POST", try url(["pulls"]),
            Request(
                head: draft.head, base: draft.base,
                title: (draft.options.isDraft ? Self.draftPrefix : "") + draft.title,
                body: draft.body, labels: labels.isEmpty ? nil : labels,
                assignees: draft.options.assignees.isEmpty ? nil : draft.options.assignees))
        let number = String(answer.number)
        if !draft.options.reviewers.isEmpty {
            let teams = draft.options.reviewers.filter { $0.contains("/") }.compactMap {
                $0.split(separator: "/").last.map(String.init)
            }
            let people = draft.options.reviewers.filter { !$0.contains("/") }
            let problem = await warning("reviews were not requested") { () throws(ForgeError) in
                let _: ForgeClient.Ignored = try await client.send(
                    "POST", try url(["pulls", number, "requested_reviewers"]),
                    ["reviewers": people, "team_reviewers": teams])
            }
            if let problem { warnings.append(problem) }
        }
        return (answer.value, warnings)
    }

    /// Gitea takes labels by number: those of the repository, then those of its organisation.
    private func identifiers(_ names: [String], _ warnings: inout [String]) async -> [Int] {
        struct Label: Decodable {
            let id: Int
            let name: String
        }
        guard !names.isEmpty else { return [] }
        var known: [Label] = []
        do {
            known = try await client.get(try url(["labels"], [("limit", "50")]))
        } catch {
            warnings.append("labels were not set: \(error.summary)")
            return []
        }
        if names.contains(where: { name in !known.contains { $0.name == name } }) {
            let owner = String(project.path.prefix { $0 != "/" })
            if let more: [Label] = try? await client.get(try project.url(["orgs", owner, "labels"], [("limit", "50")]))
            {
                known += more
            }
        }
        var result: [Int] = []
        for name in names {
            if let label = known.first(where: { $0.name == name }) {
                result.append(label.id)
            } else {
                warnings.append("there is no label '\(name)'")
            }
        }
        return result
    }

    func update(_ pullRequest: PullRequest, title: String?, body: String) async throws(ForgeError) {
        let prefix = pullRequest.title.hasPrefix(Self.draftPrefix) ? Self.draftPrefix : ""
        var words = ["body": body]
        words["title"] = title.map { prefix + $0 }
        let _: ForgeClient.Ignored = try await client.send(
            "PATCH", try url(["pulls", String(pullRequest.number)]), words)
    }

    func close(_ pullRequest: PullRequest, body: String, comment: String) async throws(ForgeError) {
        try await self.comment(comment, on: pullRequest)
        let _: ForgeClient.Ignored = try await client.send(
            "PATCH", try url(["pulls", String(pullRequest.number)]), ["state": "closed", "body": body])
    }
}
