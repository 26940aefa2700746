import Foundation

extension FakeForge {
    func github(_ request: StubRequest, _ query: [String: String], _ body: [String: Any]) -> StubReply {
        guard request.headers["accept"] == "application/vnd.github+json",
            request.headers["x-github-api-version"] == "2022-11-28", request.headers["user-agent"] != nil
        else { return json(403, ["message": "Request forbidden by administrative rules"]) }
        if request.path == "/graphql" || request.path == "/api/graphql" {
            let variables = body["variables"] as? [String: String] ?? [:]
            guard let node = variables["id"], let index = index(String(node.dropFirst(3))) else {
                return json(200, ["errors": [["message": "Could not resolve to a node"]]])
            }
            if let problem = githubProblem(pulls[index]) {
                return json(200, ["errors": [["type": "UNPROCESSABLE", "message": problem]]])
            }
            schedule(index, variables["method"] ?? "")
            return json(200, ["data": ["enablePullRequestAutoMerge": ["clientMutationId": NSNull()]]])
        }
        let root = "/repos/\(project)/"
        guard request.path.hasPrefix(root) else { return json(404, ["message": "Not Found"]) }
        let parts = request.path.dropFirst(root.count).split(separator: "/").map(String.init)
        switch (request.method, parts.count, parts.first) {
        case ("GET", 1, "pulls"):
            let owner = project.split(separator: "/")[0]
            var found = pulls.filter { pull in
                (query["head"] == nil || query["head"] == "\(owner):\(pull.head)")
                    && (query["base"] == nil || query["base"] == pull.base)
                    && (query["state"] == "all" || pull.isOpen == ((query["state"] ?? "open") == "open"))
            }
            if query["head"] != nil { found.removeAll(where: \.isFork) }
            found.reverse()
            if query["sort"] == "updated" { found.sort { $0.updated > $1.updated } }
            return page(found, query, size: "per_page", githubValue)
        case ("GET", 2, "pulls"):
            guard let index = index(parts[1]) else { return json(404, ["message": "Not Found"]) }
            var value = githubValue(pulls[index])
            value["mergeable_state"] = checks == .none ? "clean" : checks == .preparing ? "unknown" : "blocked"
            return json(200, value)
        case ("PUT", 3, "pulls") where parts[2] == "merge":
            guard let index = index(parts[1]) else { return json(404, ["message": "Not Found"]) }
            guard body["sha"] as? String == sha(pulls[index]) else {
                return json(409, ["message": "Head branch was modified. Review and try the merge again."])
            }
            guard checks == .none else { return json(405, ["message": "Pull Request is not mergeable"]) }
            merge(index, body["merge_method"] as? String ?? "")
            return json(200, ["merged": true])
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
            touch(index)
            if body["state"] as? String == "closed" { close(index) }
            return json(200, githubValue(pulls[index]))
        case ("GET", 3, "issues") where parts[2] == "comments":
            guard let index = index(parts[1]) else { return json(404, ["message": "Not Found"]) }
            return json(200, pulls[index].notes.map(issueComment))
        case ("PATCH", 3, "issues") where parts[1] == "comments":
            guard let note = edit(parts[2], body["body"] as? String ?? "") else {
                return json(404, ["message": "Not Found"])
            }
            return json(200, issueComment(note))
        case ("POST", 3, _):
            guard let index = index(parts[1]) else { return json(404, ["message": "Not Found"]) }
            switch (parts[0], parts[2]) {
            case ("issues", "labels"): pulls[index].labels += body["labels"] as? [String] ?? []
            case ("issues", "assignees"): pulls[index].assignees += body["assignees"] as? [String] ?? []
            case ("issues", "comments"): return json(201, issueComment(say(index, body["body"] as? String ?? "")))
            case ("pulls", "requested_reviewers"):
                pulls[index].reviewers +=
                    (body["reviewers"] as? [String] ?? []) + (body["team_reviewers"] as? [String] ?? [])
            default: return json(404, ["message": "Not Found"])
            }
            return json(201, [:] as [String: Any])
        default: return json(404, ["message": "Not Found"])
        }
    }

    /// GitHub's and Gitea's.
    func issueComment(_ note: Pull.Note) -> [String: Any] {
        ["id": note.id, "body": note.body, "user": ["login": note.author] as [String: Any]]
    }

    func githubValue(_ pull: Pull) -> [String: Any] {
        [
            "number": pull.number, "node_id": "PR_\(pull.number)", "state": pull.isOpen ? "open" : "closed",
            "title": pull.title, "body": pull.body.isEmpty ? NSNull() : pull.body as Any, "draft": pull.isDraft,
            "user": ["login": account] as [String: Any],
            "html_url": "https://github.example/\(project)/pull/\(pull.number)",
            "merged_at": pull.isMerged ? "2026-01-01T00:00:00Z" as Any : NSNull(),
            "auto_merge": pull.autoMerge.map { ["merge_method": $0.lowercased()] } as Any? ?? NSNull(),
            "head": [
                "ref": pull.head, "sha": sha(pull) ?? String(repeating: "0", count: 40),
                "repo": ["id": pull.isFork ? 2 : 1],
            ] as [String: Any],
            "base": ["ref": pull.base, "sha": String(repeating: "b", count: 40), "repo": ["id": 1]] as [String: Any],
        ]
    }

    private func githubProblem(_ pull: Pull) -> String? {
        if !allowsAutoMerge { return "Pull request Auto merge is not allowed for this repository" }
        if pull.isDraft { return "Pull request Pull request is in draft status" }
        return switch checks {
        case .pending: nil
        case .none: "Pull request Pull request is in clean status"
        case .preparing: "Pull request Pull request is in unknown status"
        }
    }
}
