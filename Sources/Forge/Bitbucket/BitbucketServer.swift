import HTTP

/// The API of Bitbucket Data Center, once called Server (developer.atlassian.com/server/bitbucket/rest).
struct BitbucketServer: Forge {
    let project: ForgeProject
    let client: ForgeClient

    /// The newest list.
    let newest = RecentList()

    struct Account: Codable, Sendable { let name: String }
    struct Participant: Codable, Sendable { let user: Account }

    struct Answer: Decodable, Sendable {
        struct Side: Decodable, Sendable {
            struct Repository: Decodable, Sendable {
                struct Project: Decodable, Sendable { let key: String }

                let slug: String
                let project: Project
            }

            /// Whole: `refs/heads/…`.
            let id: String
            let latestCommit: String?
            let repository: Repository
        }

        struct Links: Decodable, Sendable {
            struct Link: Decodable, Sendable { let href: String }

            let own: [Link]

            enum CodingKeys: String, CodingKey { case own = "self" }
        }

        let id: Int
        /// Which change of it this is: a change names the one that it changes.
        let version: Int
        let title: String
        let description: String?
        let state: String
        let draft: Bool?
        let fromRef: Side
        let toRef: Side
        let author: Participant?
        let reviewers: [Participant]?
        let links: Links?

        var value: PullRequest {
            var value = PullRequest(
                number: id, url: links?.own.first?.href ?? "",
                state: state == "MERGED" ? .merged : state == "OPEN" ? .open : .closed, title: title,
                body: HiddenLines.read(description ?? ""), head: fromRef.latestCommit ?? "",
                branch: fromRef.id.hasPrefix("refs/heads/") ? String(fromRef.id.dropFirst(11)) : fromRef.id)
            value.author = author?.user.name
            return value
        }

        /// `nil` for another repository's branch, or for one into another branch.
        func own(base: String) -> PullRequest? {
            toRef.id == "refs/heads/" + base && fromRef.repository.slug == toRef.repository.slug
                && fromRef.repository.project.key == toRef.repository.project.key ? value : nil
        }
    }

    private static let pageSize = 100

    /// Without it, what looks as if a browser had been made to send it is refused.
    static let headers: HTTPHeaders = ["X-Atlassian-Token": "no-check"]

    var limits: PullRequestLimits { PullRequestLimits(description: 30_000, changes: 1000) }

    private var place: (key: String, slug: String) {
        let parts = project.path.split(separator: "/").map(String.init)
        return (parts.first ?? "", parts.last ?? "")
    }

    func url(_ parts: [String], _ query: [(String, String)] = []) throws(ForgeError) -> HTTPURL {
        try project.url(["projects", place.key, "repos", place.slug] + parts, query)
    }

    func url(of pullRequest: PullRequest, _ parts: [String] = [], _ query: [(String, String)] = [])
        throws(ForgeError) -> HTTPURL
    {
        try url(["pull-requests", String(pullRequest.number)] + parts, query)
    }

    func recent(base: String, prefix: String) async throws(ForgeError) -> RecentPullRequests {
        try await newest.list(
            client,
            try url(
                ["pull-requests"],
                [
                    ("state", "ALL"), ("direction", "INCOMING"), ("at", "refs/heads/" + base), ("order", "NEWEST"),
                    ("limit", String(Self.pageSize)),
                ]), as: BitbucketServerListing<Answer>.self, limit: Self.pageSize, prefix: prefix
        ) { $0.own(base: base) }
    }

    func find(head: String, base: String) async throws(ForgeError) -> [PullRequest] {
        let found: BitbucketServerListing<Answer> = try await client.get(
            try url(
                ["pull-requests"],
                [
                    ("state", "ALL"), ("direction", "OUTGOING"), ("at", "refs/heads/" + head), ("order", "NEWEST"),
                    ("limit", String(Self.pageSize)),
                ]))
        return found.items.compactMap { $0.own(base: base) }.filter { $0.branch == head }
            .sorted { $0.number > $1.number }
    }

    func open(_ draft: PullRequestDraft) async throws(ForgeError) -> (pullRequest: PullRequest, warnings: [String]) {
        struct Side: Encodable {
            struct Repository: Encodable {
                let slug: String
                let project: [String: String]
            }

            let id: String
            let repository: Repository
        }
        struct Request: Encodable {
            let title: String
            let description: String
            let fromRef: Side
            let toRef: Side
            let reviewers: [Participant]
            let draft: Bool?
        }
        func side(_ branch: String) -> Side {
            Side(
                id: "refs/heads/" + branch,
                repository: Side.Repository(slug: place.slug, project: ["key": place.key]))
        }
        func request(_ reviewers: [String]) -> Request {
            Request(
                title: draft.title, description: HiddenLines.written(draft.body), fromRef: side(draft.head),
                toRef: side(draft.base), reviewers: reviewers.map { Participant(user: Account(name: $0)) },
                draft: draft.options.isDraft ? true : nil)
        }
        let address = try url(["pull-requests"])
        do throws(ForgeError) {
            let answer: Answer = try await client.send(
                "POST", address, request(draft.options.reviewers), headers: Self.headers)
            return (answer.value, [])
        } catch {
            // One reviewer that it does not take costs no pull request.
            guard error.status == 409 || error.status == 400, !draft.options.reviewers.isEmpty,
                error.words.lowercased().contains("reviewer")
            else { throw error }
            let answer: Answer = try await client.send("POST", address, request([]), headers: Self.headers)
            return (answer.value, ["reviews were not requested: \(error.words)"])
        }
    }

    func update(_ pullRequest: PullRequest, title: String?, body: String) async throws(ForgeError) {
        _ = try await put(pullRequest, title: title, body: body)
    }

    /// - Returns: it as it is then.
    private func put(
        _ pullRequest: PullRequest, title: String?, body: String
    ) async throws(ForgeError) -> Answer {
        struct Request: Encodable {
            let version: Int
            let title: String
            let description: String
            let reviewers: [Participant]
        }
        let address = try url(of: pullRequest)
        // Reviewers that are not named again are removed.
        let now: Answer = try await client.get(address)
        return try await client.send(
            "PUT", address,
            Request(
                version: now.version, title: title ?? now.title, description: HiddenLines.written(body),
                reviewers: now.reviewers ?? []), headers: Self.headers)
    }

    func close(_ pullRequest: PullRequest, body: String, comment: String) async throws(ForgeError) {
        try await self.comment(comment, on: pullRequest)
        let now = try await put(pullRequest, title: nil, body: body)
        let _: ForgeClient.Ignored = try await client.send(
            "POST", try url(of: pullRequest, ["decline"], [("version", String(now.version))]),
            ["version": now.version], headers: Self.headers)
    }
}

extension BitbucketServer {
    private struct Comment: Decodable, Sendable {
        let id: Int
        let version: Int
        let text: String
        let author: Account?
    }

    private struct Activity: Decodable, Sendable {
        let action: String
        let comment: Comment?
    }

    /// Its comments are among what happened to a pull request, the newest first.
    func comments(on pullRequest: PullRequest) async throws(ForgeError) -> [PullRequestComment] {
        var all: [PullRequestComment] = []
        var start = 0
        for _ in 1...Self.activityPages {
            let found: BitbucketServerListing<Activity> = try await client.get(
                try url(of: pullRequest, ["activities"], [("limit", "100"), ("start", String(start))]))
            all += found.values.filter { $0.action == "COMMENTED" }.compactMap(\.comment).map {
                PullRequestComment(
                    id: String($0.id), body: HiddenLines.read($0.text), author: $0.author?.name,
                    version: $0.version)
            }
            guard found.isLastPage == false, let next = found.nextPageStart else { break }
            start = next
        }
        return all.reversed()
    }

    private static var activityPages: Int { 10 }

    func comment(_ body: String, on pullRequest: PullRequest) async throws(ForgeError) {
        let _: ForgeClient.Ignored = try await client.send(
            "POST", try url(of: pullRequest, ["comments"]), ["text": HiddenLines.written(body)],
            headers: Self.headers)
    }

    func edit(
        _ comment: PullRequestComment, to body: String, on pullRequest: PullRequest
    ) async throws(ForgeError) {
        struct Request: Encodable {
            let version: Int
            let text: String
        }
        let _: ForgeClient.Ignored = try await client.send(
            "PUT", try url(of: pullRequest, ["comments", comment.id]),
            Request(version: comment.version ?? 0, text: HiddenLines.written(body)), headers: Self.headers)
    }
}
