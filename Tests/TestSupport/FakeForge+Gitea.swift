import Foundation

extension FakeForge {
    func gitea(_ request: StubRequest, _ query: [String: String], _ body: [String: Any]) -> StubReply {
        let root = "/api/v1/repos/\(project)/"
        if request.path == "/api/v1/orgs/\(project.split(separator: "/")[0])/labels" {
            return json(200, [["id": 20, "name": "org-wide"]])
        }
        guard request.path.hasPrefix(root) else { return json(404, ["message": "The target couldn't be found."]) }
        let parts = request.path.dropFirst(root.count).split(separator: "/").map(String.init)
        switch (request.method, parts.count, parts.first) {
        case ("GET", 1, "labels"): return json(200, [["id": 10, "name": "dependencies"]])
        case ("GET", 1, "pulls"):
            var found = Array(
                pulls.reversed().filter {
                    query["state"] == "all" || $0.isOpen == ((query["state"] ?? "open") == "open")
                })
            if query["sort"] == "recentupdate" { found.sort { $0.updated > $1.updated } }
            return page(found, query, size: "limit", giteaValue)
        case ("GET", 3, "issues") where parts[2] == "timeline":
            guard let index = index(parts[1]) else { return json(404, ["message": "The target couldn't be found."]) }
            return json(200, pulls[index].events.map { ["type": $0] })
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
            touch(index)
            if body["state"] as? String == "closed" { close(index) }
            return json(201, giteaValue(pulls[index]))
        case ("GET", 3, "issues") where parts[2] == "comments":
            guard let index = index(parts[1]) else { return json(404, ["message": "The target couldn't be found."]) }
            return json(200, pulls[index].notes.map(issueComment))
        case ("PATCH", 3, "issues") where parts[1] == "comments":
            guard let note = edit(parts[2], body["body"] as? String ?? "") else {
                return json(404, ["message": "The target couldn't be found."])
            }
            return json(200, issueComment(note))
        case ("POST", 3, _):
            guard let index = index(parts[1]) else { return json(404, ["message": "The target couldn't be found."]) }
            switch (parts[0], parts[2]) {
            case ("issues", "comments"): return json(201, issueComment(say(index, body["body"] as? String ?? "")))
            case ("pulls", "requested_reviewers"):
                pulls[index].reviewers +=
                    (body["reviewers"] as? [String] ?? []) + (body["team_reviewers"] as? [String] ?? [])
            case ("pulls", "merge"):
                guard body["merge_when_checks_succeed"] as? Bool == true else {
                    return json(405, ["message": "merged at once"])
                }
                guard body["head_commit_id"] as? String == sha(pulls[index]) else {
                    return json(409, ["message": "head out of date"])
                }
                guard allowsAutoMerge else { return json(405, ["message": "User not allowed to merge PR"]) }
                guard !pulls[index].isDraft else {
                    return json(405, ["message": "Work in progress PRs cannot be merged"])
                }
                guard pulls[index].autoMerge == nil else {
                    return json(409, ["message": "pull request is already scheduled to auto merge [pull_id: 1]"])
                }
                let method = body["Do"] as? String ?? ""
                switch checks {
                case .pending: schedule(index, method)
                case .none:
                    merge(index, method)
                    return .answer(200)
                case .preparing: return json(405, ["message": "Please try again later"])
                }
            default: return json(404, ["message": "The target couldn't be found."])
            }
            return json(201, [:] as [String: Any])
        default: return json(404, ["message": "The target couldn't be found."])
        }
    }

    func giteaValue(_ pull: Pull) -> [String: Any] {
        [
            "id": 1000 + pull.number, "number": pull.number, "state": pull.isOpen ? "open" : "closed",
            "title": pull.title, "body": pull.body, "merged": pull.isMerged,
            "user": ["login": account] as [String: Any],
            "html_url": "https://gitea.example/\(project)/pulls/\(pull.number)",
            "head": ["ref": pull.head, "sha": sha(pull) ?? "", "label": pull.head, "repo_id": pull.isFork ? 2 : 1]
                as [String: Any],
            "base": ["ref": pull.base, "sha": "", "label": pull.base, "repo_id": 1] as [String: Any],
        ]
    }
}
