import Foundation

/// Bitbucket Data Center's API.
extension FakeForge {
    func bitbucketServer(_ request: StubRequest, _ query: [String: String], _ body: [String: Any]) -> StubReply {
        func error(_ status: Int, _ message: String) -> StubReply {
            json(
                status, ["errors": [["context": NSNull(), "message": message, "exceptionName": "x"] as [String: Any]]])
        }
        guard request.method == "GET" || request.headers["x-atlassian-token"] == "no-check" else {
            return .text(403, "XSRF check failed")
        }
        let names = project.split(separator: "/").map(String.init)
        let root = "/rest/api/latest/projects/\(names[0])/repos/\(names[1])/pull-requests"
        let missing = error(404, "Repository acme/none does not exist.")
        guard request.path.hasPrefix(root) else { return missing }
        let parts = request.path.dropFirst(root.count).split(separator: "/").map(String.init)
        func isStale(_ index: Int) -> Bool {
            (body["version"] as? Int ?? Int(query["version"] ?? "")) != pulls[index].updated
        }
        let stale = error(409, "You are attempting to modify a pull request based on out-of-date information.")
        if request.method == "GET", parts.isEmpty {
            let at = query["at"].map { String($0.dropFirst("refs/heads/".count)) }
            let isOutgoing = query["direction"] == "OUTGOING"
            var found = pulls.filter { pull in
                (at == nil || at == (isOutgoing ? pull.head : pull.base))
                    && (query["state"] == "ALL" || pull.isOpen == ((query["state"] ?? "OPEN") == "OPEN"))
            }
            found.sort { $0.updated > $1.updated }
            let limit = min(Int(query["limit"] ?? "25") ?? 25, 100)
            return json(
                200,
                [
                    "values": found.prefix(limit).map(serverValue), "isLastPage": found.count <= limit,
                    "nextPageStart": found.count > limit ? limit as Any : NSNull(),
                ])
        }
        if request.method == "POST", parts.isEmpty {
            func branch(_ side: String) -> String? {
                let reference = body[side] as? [String: Any]
                let repository = reference?["repository"] as? [String: Any]
                guard repository?["slug"] as? String == names[1] else { return nil }
                return (reference?["id"] as? String).map { String($0.dropFirst("refs/heads/".count)) }
            }
            guard let title = body["title"] as? String, let head = branch("fromRef"), let base = branch("toRef") else {
                return error(400, "A title is required.")
            }
            guard !hasOpen(head, base) else {
                return error(
                    409, "Only one pull request may be open for a given source and target branch; it already exists")
            }
            let reviewers = (body["reviewers"] as? [[String: [String: String]]] ?? []).compactMap {
                $0["user"]?["name"]
            }
            if let name = reviewers.first(where: { $0 == "nobody" }) {
                return error(409, "\(name) is not a user, and cannot be a reviewer.")
            }
            let index = make(head, base, title, body["description"] as? String ?? "")
            pulls[index].reviewers = reviewers
            pulls[index].isDraft = body["draft"] as? Bool ?? false
            return json(201, serverValue(pulls[index]))
        }
        guard let index = index(parts.first ?? "") else { return missing }
        switch (request.method, parts.count, parts.count > 1 ? parts[1] : "") {
        case ("GET", 1, _): return json(200, serverValue(pulls[index]))
        case ("PUT", 1, _):
            guard !isStale(index) else { return stale }
            pulls[index].title = body["title"] as? String ?? pulls[index].title
            pulls[index].body = body["description"] as? String ?? pulls[index].body
            pulls[index].reviewers = (body["reviewers"] as? [[String: [String: String]]] ?? [])
                .compactMap { $0["user"]?["name"] }
            touch(index)
            return json(200, serverValue(pulls[index]))
        case ("POST", 2, "decline"):
            guard !isStale(index) else { return stale }
            close(index)
            return json(200, serverValue(pulls[index]))
        case ("GET", 2, "merge"):
            return json(
                200,
                [
                    "canMerge": checks == .none, "conflicted": false,
                    "vetoes": checks == .none ? [] : [["summaryMessage": "Not all required builds are successful yet"]],
                ])
        case ("POST", 2, "merge"):
            guard !isStale(index) else { return stale }
            let strategy = body["strategyId"] as? String ?? "no-ff"
            guard ["no-ff", "squash", "rebase-no-ff"].contains(strategy) else {
                return error(400, "The strategy is not enabled")
            }
            if checks == .none {
                merge(index, strategy)
            } else {
                guard body["autoMerge"] as? Bool == true, checks == .pending else {
                    return error(409, "The merge was vetoed.")
                }
                guard allowsAutoMerge else {
                    return error(403, "The auto-merge setting is not enabled for the repository.")
                }
                schedule(index, strategy)
            }
            return json(200, serverValue(pulls[index]))
        case ("GET", 2, "auto-merge"):
            guard pulls[index].autoMerge != nil else { return .answer(204) }
            return json(200, ["fromHash": sha(pulls[index]) ?? "", "strategyId": pulls[index].autoMerge ?? ""])
        case ("GET", 2, "activities"):
            let start = Int(query["start"] ?? "0") ?? 0
            let all = pulls[index].notes.reversed().map {
                ["action": "COMMENTED", "comment": serverComment($0)] as [String: Any]
            }
            let page = all.dropFirst(start).prefix(2)
            let isLast = start + page.count >= all.count
            return json(
                200,
                [
                    "values": Array(page), "isLastPage": isLast,
                    "nextPageStart": isLast ? NSNull() : (start + page.count) as Any,
                ])
        case ("POST", 2, "comments"): return json(201, serverComment(say(index, body["text"] as? String ?? "")))
        case ("PUT", 3, "comments"):
            guard let old = pulls[index].notes.first(where: { String($0.id) == parts[2] }) else { return missing }
            guard body["version"] as? Int == old.version,
                let note = edit(index, parts[2], body["text"] as? String ?? "")
            else { return error(409, "The comment was changed by somebody else") }
            return json(200, serverComment(note))
        default: return missing
        }
    }

    private func serverComment(_ note: Pull.Note) -> [String: Any] {
        ["id": note.id, "version": note.version, "text": note.body, "author": ["name": note.author] as [String: Any]]
    }

    private func serverValue(_ pull: Pull) -> [String: Any] {
        let names = project.split(separator: "/").map(String.init)
        func side(_ branch: String, _ commit: String?, isFork: Bool) -> [String: Any] {
            [
                "id": "refs/heads/" + branch, "displayId": branch, "latestCommit": commit as Any? ?? NSNull(),
                "repository": [
                    "slug": names[1], "project": ["key": isFork ? "~somebody" : names[0]] as [String: Any],
                ] as [String: Any],
            ]
        }
        return [
            "id": pull.number, "version": pull.updated, "title": pull.title, "description": pull.body,
            "state": pull.isMerged ? "MERGED" : pull.isOpen ? "OPEN" : "DECLINED", "draft": pull.isDraft,
            "fromRef": side(pull.head, sha(pull), isFork: pull.isFork),
            "toRef": side(pull.base, nil, isFork: false),
            "author": ["user": ["name": account] as [String: Any]] as [String: Any],
            "reviewers": pull.reviewers.map { ["user": ["name": $0]] },
            "links": [
                "self": [
                    ["href": "https://bb.example/projects/x/repos/y/pull-requests/\(pull.number)"] as [String: Any]
                ]
            ] as [String: Any],
        ]
    }
}
