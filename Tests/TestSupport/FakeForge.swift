import Foundation

/// A fake of a code host's API, written from its public documentation: GitHub's REST API 2022-11-28, GitLab's API v4, Gitea's API
/// v1. It keeps pull requests in memory and is as strict as the documentation: methods, paths, tokens, required fields, statuses.
///
/// `@unchecked Sendable`: everything mutable is touched under the lock.
package final class FakeForge: @unchecked Sendable {
    package enum Kind: String, Sendable, CaseIterable { case github, gitlab, gitea }

    package struct Pull: Sendable {
        package var number: Int
        package var head: String
        package var base: String
        package var title: String
        package var body: String
        package var isOpen = true
        package var isMerged = false
        package var isDraft = false
        package var labels: [String] = []
        package var reviewers: [String] = []
        package var assignees: [String] = []
        package var comments: [String] = []
        package var autoMerge: String?
        /// The head when it was closed: hosts do not follow the branch of a closed one.
        var closedAt: String?
    }

    package let kind: Kind
    package let token: String
    private let project: String
    private let head: @Sendable (String) -> String?
    private let lock = NSLock()
    private var pulls: [Pull] = []
    private var failures: [StubReply] = []
    private var server: StubServer?

    /// - Parameters:
    ///   - project: `owner/name`.
    ///   - head: the commit of a branch; `nil` when there is no such branch.
    package init(
        _ kind: Kind, project: String = "acme/shop", token: String = "t0ken-s3cret",
        head: @escaping @Sendable (String) -> String? = { _ in String(repeating: "a", count: 40) }
    ) throws {
        self.kind = kind
        self.project = project
        self.token = token
        self.head = head
        let weak = WeakForge(self)
        server = try StubServer { request in weak.forge?.answer(request) ?? .text(503, "gone") }
    }

    /// What is to be configured as the API.
    package var api: String {
        let root = server?.url ?? ""
        switch kind {
        case .github: return root
        case .gitlab: return root + "/api/v4"
        case .gitea: return root + "/api/v1"
        }
    }

    package var requests: [StubRequest] { server?.requests ?? [] }
    package var all: [Pull] { lock.withLock { pulls } }

    package func change(_ number: Int, _ body: (inout Pull) -> Void) {
        lock.withLock {
            guard let index = pulls.firstIndex(where: { $0.number == number }) else { return }
            body(&pulls[index])
            if !pulls[index].isOpen { close(index) }
        }
    }

    private func close(_ index: Int) {
        pulls[index].isOpen = false
        pulls[index].closedAt = pulls[index].closedAt ?? head(pulls[index].head)
    }

    private func sha(_ pull: Pull) -> String? { pull.isOpen ? head(pull.head) : pull.closedAt }

    /// Answers to the next requests instead of the real ones.
    package func fail(_ replies: [StubReply]) { lock.withLock { failures += replies } }

    package func stop() { server?.stop() }

    // MARK: Answers

    private func answer(_ request: StubRequest) -> StubReply {
        lock.withLock {
            if !failures.isEmpty { return failures.removeFirst() }
            guard isAuthorized(request) else {
                return json(401, ["message": kind == .gitlab ? "401 Unauthorized" : "Bad credentials"])
            }
            let query = URLComponents(string: request.target)?.queryItems ?? []
            let values = Dictionary(query.map { ($0.name, $0.value ?? "") }) { first, _ in first }
            let body = (try? JSONSerialization.jsonObject(with: Data(request.body))) as? [String: Any] ?? [:]
            switch kind {
            case .github: return github(request, values, body)
            case .gitlab: return gitlab(request, values, body)
            case .gitea: return gitea(request, values, body)
            }
        }
    }

    private func isAuthorized(_ request: StubRequest) -> Bool {
        switch kind {
        case .github: request.headers["authorization"] == "Bearer \(token)"
        case .gitlab: request.headers["private-token"] == token
        case .gitea: request.headers["authorization"] == "token \(token)"
        }
    }

    private func json(_ status: Int, _ value: Any) -> StubReply {
        let data = (try? JSONSerialization.data(withJSONObject: value, options: [.sortedKeys])) ?? Data()
        return .answer(status, headers: [("Content-Type", "application/json")], body: [UInt8](data))
    }

    private func index(_ text: String) -> Int? {
        Int(text).flatMap { number in pulls.firstIndex { $0.number == number } }
    }

    private func make(_ head: String, _ base: String, _ title: String, _ body: String) -> Int {
        pulls.append(Pull(number: pulls.count + 1, head: head, base: base, title: title, body: body))
        return pulls.count - 1
    }

    private func hasOpen(_ head: String, _ base: String) -> Bool {
        pulls.contains { $0.isOpen && $0.head == head && $0.base == base }
    }

    // MARK: GitHub

    private func github(_ request: StubRequest, _ query: [String: String], _ body: [String: Any]) -> StubReply {
        guard request.headers["accept"] == "application/vnd.github+json",
            request.headers["x-github-api-version"] == "2022-11-28", request.headers["user-agent"] != nil
        else { return json(403, ["message": "Request forbidden by administrative rules"]) }
        if request.path == "/graphql" || request.path == "/api/graphql" {
            let variables = body["variables"] as? [String: String] ?? [:]
            guard let node = variables["id"], let index = index(String(node.dropFirst(3))) else {
                return json(200, ["errors": [["message": "Could not resolve to a node"]]])
            }
            pulls[index].autoMerge = variables["method"]
            return json(200, ["data": ["enablePullRequestAutoMerge": ["clientMutationId": NSNull()]]])
        }
        let root = "/repos/\(project)/"
        guard request.path.hasPrefix(root) else { return json(404, ["message": "Not Found"]) }
        let parts = request.path.dropFirst(root.count).split(separator: "/").map(String.init)
        switch (request.method, parts.count, parts.first) {
        case ("GET", 1, "pulls"):
            let owner = project.split(separator: "/")[0]
            let found = pulls.filter { pull in
                (query["head"] == nil || query["head"] == "\(owner):\(pull.head)")
                    && (query["base"] == nil || query["base"] == pull.base)
                    && (query["state"] == "all" || pull.isOpen == ((query["state"] ?? "open") == "open"))
            }
            return json(200, found.reversed().map(githubValue))
        case ("POST", 1, "pulls"):
            guard let title = body["title"] as? String, let head = body["head"] as? String,
                let base = body["base"] as? String
            else {
                return json(
                    422, ["message": "Validation Failed", "errors": [["field": "head", "code": "missing_field"]]])
            }
            guard self.head(head) != nil else {
                return json(422, ["message": "Validation Failed", "errors": [["field": "head", "code": "invalid"]]])
            }
            guard !hasOpen(head, base) else {
                return json(
                    422,
                    [
                        "message": "Validation Failed",
                        "errors": [
                            [
                                "message":
                                    "A pull request already exists for \(project.split(separator: "/")[0]):\(head)."
                            ]
                        ],
                    ])
            }
            let index = make(head, base, title, body["body"] as? String ?? "")
            pulls[index].isDraft = body["draft"] as? Bool ?? false
            return json(201, githubValue(pulls[index]))
        case ("PATCH", 2, "pulls"):
            guard let index = index(parts[1]) else { return json(404, ["message": "Not Found"]) }
            pulls[index].title = body["title"] as? String ?? pulls[index].title
            pulls[index].body = body["body"] as? String ?? pulls[index].body
            if body["state"] as? String == "closed" { close(index) }
            return json(200, githubValue(pulls[index]))
        case ("POST", 3, _):
            guard let index = index(parts[1]) else { return json(404, ["message": "Not Found"]) }
            switch (parts[0], parts[2]) {
            case ("issues", "labels"): pulls[index].labels += body["labels"] as? [String] ?? []
            case ("issues", "assignees"): pulls[index].assignees += body["assignees"] as? [String] ?? []
            case ("issues", "comments"): pulls[index].comments.append(body["body"] as? String ?? "")
            case ("pulls", "requested_reviewers"):
                pulls[index].reviewers +=
                    (body["reviewers"] as? [String] ?? []) + (body["team_reviewers"] as? [String] ?? [])
            default: return json(404, ["message": "Not Found"])
            }
            return json(201, [:] as [String: Any])
        default: return json(404, ["message": "Not Found"])
        }
    }

    private func githubValue(_ pull: Pull) -> [String: Any] {
        [
            "number": pull.number, "node_id": "PR_\(pull.number)", "state": pull.isOpen ? "open" : "closed",
            "title": pull.title, "body": pull.body.isEmpty ? NSNull() : pull.body as Any, "draft": pull.isDraft,
            "html_url": "https://github.example/\(project)/pull/\(pull.number)",
            "merged_at": pull.isMerged ? "2026-01-01T00:00:00Z" as Any : NSNull(),
            "head": ["ref": pull.head, "sha": sha(pull) ?? String(repeating: "0", count: 40)],
            "base": ["ref": pull.base, "sha": String(repeating: "b", count: 40)],
        ]
    }

    // MARK: GitLab

    private func gitlab(_ request: StubRequest, _ query: [String: String], _ body: [String: Any]) -> StubReply {
        if request.path == "/api/v4/users" {
            let known = ["alice": 7, "bob": 8]
            return json(
                200, known[query["username"] ?? ""].map { [["id": $0, "username": query["username"] ?? ""]] } ?? [])
        }
        let root = "/api/v4/projects/\(project.replacingOccurrences(of: "/", with: "%2F"))/merge_requests"
        guard request.path.hasPrefix(root) else { return json(404, ["message": "404 Project Not Found"]) }
        let parts = request.path.dropFirst(root.count).split(separator: "/").map(String.init)
        switch (request.method, parts.count) {
        case ("GET", 0):
            let found = pulls.filter { pull in
                (query["source_branch"] == nil || query["source_branch"] == pull.head)
                    && (query["target_branch"] == nil || query["target_branch"] == pull.base)
                    && (query["state"] == "all" || query["state"] == nil || pull.isOpen == (query["state"] == "opened"))
            }
            return json(200, found.reversed().map(gitlabValue))
        case ("POST", 0):
            guard let title = body["title"] as? String, let head = body["source_branch"] as? String,
                let base = body["target_branch"] as? String
            else { return json(400, ["error": "title is missing"]) }
            guard !hasOpen(head, base) else {
                return json(409, ["message": ["Another open merge request already exists for this source branch: !1"]])
            }
            let index = make(head, base, title, body["description"] as? String ?? "")
            pulls[index].isDraft = title.hasPrefix("Draft: ")
            pulls[index].labels = (body["labels"] as? String ?? "").split(separator: ",").map(String.init)
            pulls[index].reviewers = (body["reviewer_ids"] as? [Int] ?? []).map(String.init)
            pulls[index].assignees = (body["assignee_ids"] as? [Int] ?? []).map(String.init)
            return json(201, gitlabValue(pulls[index]))
        case ("PUT", 1):
            guard let index = index(parts[0]) else { return json(404, ["message": "404 Not found"]) }
            pulls[index].title = body["title"] as? String ?? pulls[index].title
            pulls[index].body = body["description"] as? String ?? pulls[index].body
            if body["state_event"] as? String == "close" { close(index) }
            return json(200, gitlabValue(pulls[index]))
        case ("POST", 2) where parts[1] == "notes":
            guard let index = index(parts[0]) else { return json(404, ["message": "404 Not found"]) }
            pulls[index].comments.append(body["body"] as? String ?? "")
            return json(201, ["id": 1])
        case ("PUT", 2) where parts[1] == "merge":
            guard let index = index(parts[0]) else { return json(404, ["message": "404 Not found"]) }
            pulls[index].autoMerge = body["squash"] as? Bool == true ? "squash" : "merge"
            return json(200, gitlabValue(pulls[index]))
        default: return json(404, ["error": "404 Not Found"])
        }
    }

    private func gitlabValue(_ pull: Pull) -> [String: Any] {
        [
            "id": 1000 + pull.number, "iid": pull.number,
            "state": pull.isMerged ? "merged" : pull.isOpen ? "opened" : "closed", "title": pull.title,
            "description": pull.body, "source_branch": pull.head, "target_branch": pull.base,
            "web_url": "https://gitlab.example/\(project)/-/merge_requests/\(pull.number)",
            "sha": sha(pull) as Any? ?? NSNull(),
        ]
    }

    // MARK: Gitea

    private func gitea(_ request: StubRequest, _ query: [String: String], _ body: [String: Any]) -> StubReply {
        let root = "/api/v1/repos/\(project)/"
        if request.path == "/api/v1/orgs/\(project.split(separator: "/")[0])/labels" {
            return json(200, [["id": 20, "name": "org-wide"]])
        }
        guard request.path.hasPrefix(root) else { return json(404, ["message": "The target couldn't be found."]) }
        let parts = request.path.dropFirst(root.count).split(separator: "/").map(String.init)
        switch (request.method, parts.count, parts.first) {
        case ("GET", 1, "labels"): return json(200, [["id": 10, "name": "dependencies"]])
        case ("GET", 1, "pulls"):
            let page = Int(query["page"] ?? "1") ?? 1
            let limit = Int(query["limit"] ?? "30") ?? 30
            let found = pulls.reversed().filter {
                query["state"] == "all" || $0.isOpen == ((query["state"] ?? "open") == "open")
            }
            return json(200, found.dropFirst((page - 1) * limit).prefix(limit).map(giteaValue))
        case ("POST", 1, "pulls"):
            guard let title = body["title"] as? String, let head = body["head"] as? String,
                let base = body["base"] as? String
            else { return json(422, ["message": "[Title]: Required"]) }
            guard !hasOpen(head, base) else {
                return json(409, ["message": "pull request already exists for these targets"])
            }
            let index = make(head, base, title, body["body"] as? String ?? "")
            pulls[index].isDraft = title.hasPrefix("WIP: ")
            pulls[index].labels = (body["labels"] as? [Int] ?? []).map(String.init)
            pulls[index].assignees = body["assignees"] as? [String] ?? []
            return json(201, giteaValue(pulls[index]))
        case ("PATCH", 2, "pulls"):
            guard let index = index(parts[1]) else { return json(404, ["message": "The target couldn't be found."]) }
            pulls[index].title = body["title"] as? String ?? pulls[index].title
            pulls[index].body = body["body"] as? String ?? pulls[index].body
            if body["state"] as? String == "closed" { close(index) }
            return json(201, giteaValue(pulls[index]))
        case ("POST", 3, _):
            guard let index = index(parts[1]) else { return json(404, ["message": "The target couldn't be found."]) }
            switch (parts[0], parts[2]) {
            case ("issues", "comments"): pulls[index].comments.append(body["body"] as? String ?? "")
            case ("pulls", "requested_reviewers"):
                pulls[index].reviewers +=
                    (body["reviewers"] as? [String] ?? []) + (body["team_reviewers"] as? [String] ?? [])
            case ("pulls", "merge"):
                guard body["merge_when_checks_succeed"] as? Bool == true else {
                    return json(405, ["message": "merged at once"])
                }
                pulls[index].autoMerge = body["Do"] as? String
            default: return json(404, ["message": "The target couldn't be found."])
            }
            return json(201, [:] as [String: Any])
        default: return json(404, ["message": "The target couldn't be found."])
        }
    }

    private func giteaValue(_ pull: Pull) -> [String: Any] {
        [
            "id": 1000 + pull.number, "number": pull.number, "state": pull.isOpen ? "open" : "closed",
            "title": pull.title, "body": pull.body, "merged": pull.isMerged,
            "html_url": "https://gitea.example/\(project)/pulls/\(pull.number)",
            "head": ["ref": pull.head, "sha": sha(pull) ?? "", "label": pull.head],
            "base": ["ref": pull.base, "sha": "", "label": pull.base],
        ]
    }
}

private final class WeakForge: Sendable {
    weak let forge: FakeForge?

    init(_ forge: FakeForge) { self.forge = forge }
}
