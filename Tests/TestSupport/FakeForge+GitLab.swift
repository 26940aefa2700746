import Foundation

extension FakeForge {
    func gitlab(_ request: StubRequest, _ query: [String: String], _ body: [String: Any]) -> StubReply {
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
            var found = pulls.filter { pull in
                (query["source_branch"] == nil || query["source_branch"] == pull.head)
                    && (query["target_branch"] == nil || query["target_branch"] == pull.base)
                    && (query["state"] == "all" || query["state"] == nil || pull.isOpen == (query["state"] == "opened"))
            }
            found.reverse()
            if query["order_by"] == "updated_at" { found.sort { $0.updated > $1.updated } }
            return page(found, query, size: "per_page", gitlabValue)
        case ("GET", 1):
            guard let index = index(parts[0]) else { return json(404, ["message": "404 Not found"]) }
            var value = gitlabValue(pulls[index])
            value["head_pipeline"] =
                checks == .pending ? ["id": 1, "status": "running"] as [String: Any] as Any : NSNull()
            return json(200, value)
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
            touch(index)
            if body["state_event"] as? String == "close" { close(index) }
            return json(200, gitlabValue(pulls[index]))
        case ("POST", 2) where parts[1] == "notes":
            guard let index = index(parts[0]) else { return json(404, ["message": "404 Not found"]) }
            return json(201, gitlabNote(say(index, body["body"] as? String ?? "")))
        case ("GET", 2) where parts[1] == "notes":
            guard let index = index(parts[0]) else { return json(404, ["message": "404 Not found"]) }
            let system: [String: Any] = ["id": 0, "body": "added 1 commit", "system": true]
            return json(200, [system] + pulls[index].notes.map(gitlabNote))
        case ("PUT", 3) where parts[1] == "notes":
            guard let index = index(parts[0]), let note = edit(index, parts[2], body["body"] as? String ?? "") else {
                return json(404, ["message": "404 Not found"])
            }
            return json(200, gitlabNote(note))
        case ("PUT", 2) where parts[1] == "merge":
            guard let index = index(parts[0]) else { return json(404, ["message": "404 Not found"]) }
            guard body["sha"] as? String == sha(pulls[index]) else {
                return json(409, ["message": "SHA does not match HEAD of source branch"])
            }
            guard allowsAutoMerge else { return json(401, ["message": "401 Unauthorized"]) }
            let method = body["squash"] as? Bool == true ? "squash" : "merge"
            // Waiting is only for what there is a pipeline for, and nothing is merged before it.
            switch (checks, body["merge_when_pipeline_succeeds"] as? Bool == true) {
            case (.pending, true): schedule(index, method)
            case (.none, false): merge(index, method)
            default: return json(405, ["message": "405 Method Not Allowed"])
            }
            return json(200, gitlabValue(pulls[index]))
        default: return json(404, ["error": "404 Not Found"])
        }
    }

    private func gitlabNote(_ note: Pull.Note) -> [String: Any] {
        ["id": note.id, "body": note.body, "system": false, "author": ["username": note.author] as [String: Any]]
    }

    func gitlabValue(_ pull: Pull) -> [String: Any] {
        [
            "id": 1000 + pull.number, "iid": pull.number,
            "state": pull.isMerged ? "merged" : pull.isOpen ? "opened" : "closed", "title": pull.title,
            "source_project_id": pull.isFork ? 2 : 1, "target_project_id": 1,
            "merge_when_pipeline_succeeds": pull.autoMerge != nil, "detailed_merge_status": gitlabStatus(pull),
            "description": pull.body, "source_branch": pull.head, "target_branch": pull.base,
            "web_url": "https://gitlab.example/\(project)/-/merge_requests/\(pull.number)",
            "sha": sha(pull) as Any? ?? NSNull(), "author": ["username": account] as [String: Any],
        ]
    }

    private func gitlabStatus(_ pull: Pull) -> String {
        if pull.isDraft { return "draft_status" }
        return switch checks {
        case .pending: "ci_still_running"
        case .none: "mergeable"
        case .preparing: "preparing"
        }
    }
}
