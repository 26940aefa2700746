import HTTP

/// The API of Azure DevOps Services and Server (learn.microsoft.com/rest/api/azure/devops/git/pull-requests).
struct AzureDevOps: Forge {
    let project: ForgeProject
    let client: ForgeClient

    /// The newest list.
    let newest = RecentList()

    struct Identity: Codable, Sendable { let id: String }

    struct Answer: Decodable, Sendable {
        struct Commit: Decodable, Sendable { let commitId: String }
        struct Fork: Decodable, Sendable {}

        let pullRequestId: Int
        let status: String
        let title: String
        let description: String?
        let sourceRefName: String
        let targetRefName: String
        let isDraft: Bool?
        let mergeStatus: String?
        let lastMergeSourceCommit: Commit?
        let autoCompleteSetBy: Identity?
        let createdBy: Identity?
        /// Only of another repository's branch.
        let forkSource: Fork?
    }

    private static let pageSize = 100
    private static let branches = "refs/heads/"
    /// Azure DevOps Server 2022 knows this one, too.
    private static let version = ("api-version", "7.0")

    /// Lists show the first 400 characters of a description: the marker comes first, and names little.
    var limits: PullRequestLimits { PullRequestLimits(description: 4000, changes: 20) }

    private var place: (project: String, repository: String) {
        let parts = project.path.split(separator: "/").map(String.init)
        return (parts.first ?? "", parts.last ?? "")
    }

    func url(_ parts: [String], _ query: [(String, String)] = []) throws(ForgeError) -> HTTPURL {
        try project.url(
            [place.project, "_apis", "git", "repositories", place.repository] + parts, query + [Self.version])
    }

    private func value(_ answer: Answer) -> PullRequest {
        let state: PullRequest.State =
            switch answer.status {
            case "completed": .merged
            case "active": .open
            default: .closed
            }
        // The address for people is no part of the answer.
        let page = try? project.url([
            place.project, "_git", place.repository, "pullrequest", String(answer.pullRequestId),
        ])
        let branch = answer.sourceRefName
        var value = PullRequest(
            number: answer.pullRequestId, url: page?.text ?? "", state: state, title: answer.title,
            body: AzureDescription.read(answer.description ?? ""), head: answer.lastMergeSourceCommit?.commitId ?? "",
            branch: branch.hasPrefix(Self.branches) ? String(branch.dropFirst(Self.branches.count)) : branch,
            isAutoMerge: answer.autoCompleteSetBy != nil)
        value.author = answer.createdBy?.id
        return value
    }

    private func list(_ criteria: [(String, String)]) -> [(String, String)] {
        criteria.map { ("searchCriteria.\($0)", $1) } + [("$top", String(Self.pageSize))]
    }

    func recent(base: String, prefix: String) async throws(ForgeError) -> RecentPullRequests {
        try await newest.list(
            client,
            try url(["pullrequests"], list([("status", "all"), ("targetRefName", Self.branches + base)])),
            as: AzureListing<Answer>.self, limit: Self.pageSize, prefix: prefix
        ) { $0.forkSource == nil ? value($0) : nil }
    }

    func find(head: String, base: String) async throws(ForgeError) -> [PullRequest] {
        let found: AzureListing<Answer> = try await client.get(
            try url(
                ["pullrequests"],
                list([
                    ("status", "all"), ("sourceRefName", Self.branches + head),
                    ("targetRefName", Self.branches + base),
                ])))
        return found.items.filter { $0.forkSource == nil }.map(value).sorted { $0.number > $1.number }
    }

    func whole(_ pullRequest: PullRequest) async throws(ForgeError) -> PullRequest {
        value(try await answer(pullRequest))
    }

    func answer(_ pullRequest: PullRequest) async throws(ForgeError) -> Answer {
        try await client.get(try url(["pullrequests", String(pullRequest.number)]))
    }

    func open(_ draft: PullRequestDraft) async throws(ForgeError) -> (pullRequest: PullRequest, warnings: [String]) {
        struct Request: Encodable {
            let sourceRefName: String
            let targetRefName: String
            let title: String
            let description: String
            let isDraft: Bool
            let reviewers: [Identity]?
            let labels: [[String: String]]?
        }
        var warnings: [String] = []
        let reviewers = await identities(draft.options.reviewers, &warnings)
        let answer: Answer = try await client.send(
            "POST", try url(["pullrequests"]),
            Request(
                sourceRefName: Self.branches + draft.head, targetRefName: Self.branches + draft.base,
                title: draft.title, description: AzureDescription.written(draft.body),
                isDraft: draft.options.isDraft, reviewers: reviewers.isEmpty ? nil : reviewers,
                labels: draft.options.labels.isEmpty ? nil : draft.options.labels.map { ["name": $0] }))
        return (value(answer), warnings)
    }

    func update(_ pullRequest: PullRequest, title: String?, body: String) async throws(ForgeError) {
        var words = ["description": AzureDescription.written(body)]
        words["title"] = title
        try await patch(pullRequest, words)
    }

    func close(_ pullRequest: PullRequest, body: String, comment: String) async throws(ForgeError) {
        try await self.comment(comment, on: pullRequest)
        try await patch(pullRequest, ["description": AzureDescription.written(body)])
        try await patch(pullRequest, ["status": "abandoned"])
    }

    private func patch(_ pullRequest: PullRequest, _ words: [String: String]) async throws(ForgeError) {
        let _: ForgeClient.Ignored = try await client.send(
            "PATCH", try url(["pullrequests", String(pullRequest.number)]), words)
    }
}

/// The marker's place in a description: first there, last as the agent writes it.
enum AzureDescription {
    private static let opening = "<!-- slipway-update:"

    static func written(_ text: String) -> String {
        var lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        guard let place = lines.lastIndex(where: { $0.hasPrefix(opening) }) else { return text }
        let marker = lines.remove(at: place)
        while lines.last?.allSatisfy(\.isWhitespace) == true { lines.removeLast() }
        return ([marker] + (lines.isEmpty ? [] : [""] + lines)).joined(separator: "\n")
    }

    static func read(_ text: String) -> String {
        guard text.hasPrefix(opening), let end = text.firstIndex(where: \.isNewline) else { return text }
        let rest = text[end...].drop(while: \.isWhitespace)
        return rest.isEmpty ? String(text[..<end]) : "\(rest)\n\n\(text[..<end])"
    }
}
