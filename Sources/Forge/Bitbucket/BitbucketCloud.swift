import HTTP

/// Bitbucket Cloud's API, version 2.0 (developer.atlassian.com/cloud/bitbucket/rest).
struct BitbucketCloud: Forge {
    let project: ForgeProject
    let client: ForgeClient

    /// The newest list.
    let newest = RecentList()

    struct Account: Codable, Sendable {
        let uuid: String?
        let account_id: String?
    }

    struct Answer: Decodable, Sendable {
        struct Side: Decodable, Sendable {
            struct Branch: Decodable, Sendable { let name: String }
            struct Commit: Decodable, Sendable { let hash: String }
            struct Repository: Decodable, Sendable { let full_name: String? }

            let branch: Branch
            let commit: Commit?
            let repository: Repository?
        }

        struct Links: Decodable, Sendable {
            struct Link: Decodable, Sendable { let href: String }

            let html: Link
        }

        let id: Int
        let title: String
        let description: String?
        let state: String
        let links: Links
        let source: Side
        let destination: Side
        let author: Account?
        /// Only where one is asked for.
        let reviewers: [Account]?

        var value: PullRequest {
            var value = PullRequest(
                number: id, url: links.html.href,
                state: state == "MERGED" ? .merged : state == "OPEN" ? .open : .closed,
                title: title, body: HiddenLines.read(description ?? ""), head: source.commit?.hash ?? "",
                branch: source.branch.name, isAutoMerge: false)
            value.author = author?.uuid
            return value
        }

        /// `nil` for another repository's branch.
        var own: PullRequest? {
            source.repository?.full_name != nil && source.repository?.full_name == destination.repository?.full_name
                ? value : nil
        }
    }

    /// As many as it gives.
    private static let pageSize = 50
    static let states = ["OPEN", "MERGED", "DECLINED", "SUPERSEDED"].map { ("state", $0) }

    var limits: PullRequestLimits { PullRequestLimits(description: 30_000, changes: 1000) }

    func url(_ parts: [String], _ query: [(String, String)] = []) throws(ForgeError) -> HTTPURL {
        try project.url(["repositories"] + project.path.split(separator: "/").map(String.init) + parts, query)
    }

    /// A text within a query of theirs.
    private static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    func recent(base: String, prefix: String) async throws(ForgeError) -> RecentPullRequests {
        let question = "destination.branch.name=\(Self.quoted(base))"
        return try await newest.list(
            client,
            try url(
                ["pullrequests"],
                Self.states + [("q", question), ("sort", "-updated_on"), ("pagelen", String(Self.pageSize))]),
            as: BitbucketListing<Answer>.self, limit: Self.pageSize, prefix: prefix
        ) { $0.own }
    }

    func find(head: String, base: String) async throws(ForgeError) -> [PullRequest] {
        let question =
            "source.branch.name=\(Self.quoted(head)) AND destination.branch.name=\(Self.quoted(base))"
        let found: BitbucketListing<Answer> = try await client.get(
            try url(
                ["pullrequests"],
                Self.states + [("q", question), ("sort", "-created_on"), ("pagelen", String(Self.pageSize))]))
        return found.items.compactMap(\.own)
    }

    func open(_ draft: PullRequestDraft) async throws(ForgeError) -> (pullRequest: PullRequest, warnings: [String]) {
        struct Request: Encodable {
            let title: String
            let description: String
            let source: Place
            let destination: Place
            let reviewers: [Account]?
            let close_source_branch = true
            let draft: Bool
        }
        // It opens a second one for the same branches without a word.
        if try await find(head: draft.head, base: draft.base).contains(where: { $0.state == .open }) {
            throw ForgeError(
                .refused, "the code host has this pull request already", place: project.path,
                cause: "a pull request from '\(draft.head)' to '\(draft.base)' already exists", status: 409)
        }
        let reviewers = draft.options.reviewers.map { name in
            name.hasPrefix("{") ? Account(uuid: name, account_id: nil) : Account(uuid: nil, account_id: name)
        }
        func request(_ reviewers: [Account]) -> Request {
            Request(
                title: draft.title, description: HiddenLines.written(draft.body),
                source: Place(draft.head), destination: Place(draft.base),
                reviewers: reviewers.isEmpty ? nil : reviewers, draft: draft.options.isDraft)
        }
        let address = try url(["pullrequests"])
        do throws(ForgeError) {
            let answer: Answer = try await client.send("POST", address, request(reviewers))
            return (answer.value, [])
        } catch {
            // One reviewer that it does not take, the author say, costs no pull request.
            guard error.status == 400, !reviewers.isEmpty, error.words.lowercased().contains("reviewer") else {
                throw error
            }
            let answer: Answer = try await client.send("POST", address, request([]))
            return (answer.value, ["reviews were not requested: \(error.words)"])
        }
    }

    private struct Place: Encodable {
        let branch: [String: String]

        init(_ name: String) { branch = ["name": name] }
    }

    func update(_ pullRequest: PullRequest, title: String?, body: String) async throws(ForgeError) {
        try await put(pullRequest, title: title, body: body)
    }

    private func put(_ pullRequest: PullRequest, title: String?, body: String) async throws(ForgeError) {
        struct Request: Encodable {
            let title: String
            let description: String
            let reviewers: [Account]
        }
        let address = try url(["pullrequests", String(pullRequest.number)])
        // Reviewers that are not named again are removed, and lists do not have them.
        let now: Answer = try await client.get(address)
        let _: ForgeClient.Ignored = try await client.send(
            "PUT", address,
            Request(
                title: title ?? now.title, description: HiddenLines.written(body),
                reviewers: (now.reviewers ?? []).map { Account(uuid: $0.uuid, account_id: nil) }))
    }

    func close(_ pullRequest: PullRequest, body: String, comment: String) async throws(ForgeError) {
        try await self.comment(comment, on: pullRequest)
        try await put(pullRequest, title: nil, body: body)
        let _: ForgeClient.Ignored = try await client.send(
            "POST", try url(["pullrequests", String(pullRequest.number), "decline"]), [String: String]())
    }

    func ensureAutoMerge(
        _ pullRequest: PullRequest, _ method: PullRequestOptions.MergeMethod
    ) async throws(ForgeError) -> AutoMerge {
        .refused("Bitbucket Cloud's API cannot merge a pull request once its checks have passed")
    }
}

extension BitbucketCloud {
    private struct Comment: Decodable, Sendable {
        struct Content: Decodable, Sendable { let raw: String? }

        let id: Int
        let content: Content
        let user: Account?
        let deleted: Bool?
    }

    private struct Text: Encodable {
        let content: [String: String]

        init(_ text: String) { content = ["raw": HiddenLines.written(text)] }
    }

    func comments(on pullRequest: PullRequest) async throws(ForgeError) -> [PullRequestComment] {
        var all: [PullRequestComment] = []
        for page in 1...Self.commentPages {
            let found: BitbucketListing<Comment> = try await client.get(
                try url(
                    ["pullrequests", String(pullRequest.number), "comments"],
                    [("pagelen", "100"), ("page", String(page))]))
            all += found.values.filter { $0.deleted != true }.map {
                PullRequestComment(
                    id: String($0.id), body: HiddenLines.read($0.content.raw ?? ""), author: $0.user?.uuid)
            }
            if found.next == nil { break }
        }
        return all
    }

    private static var commentPages: Int { 10 }

    func comment(_ body: String, on pullRequest: PullRequest) async throws(ForgeError) {
        let _: ForgeClient.Ignored = try await client.send(
            "POST", try url(["pullrequests", String(pullRequest.number), "comments"]), Text(body))
    }

    func edit(
        _ comment: PullRequestComment, to body: String, on pullRequest: PullRequest
    ) async throws(ForgeError) {
        let _: ForgeClient.Ignored = try await client.send(
            "PUT", try url(["pullrequests", String(pullRequest.number), "comments", comment.id]), Text(body))
    }
}
