import Foundation

/// Bitbucket Cloud's API 2.0.
extension FakeForge {
    func bitbucket(_ request: StubRequest, _ query: [(String, String)], _ body: [String: Any]) -> StubReply {
        let missing = json(404, ["type": "error", "error": ["message": "Resource not found"]])
        let root = "/2.0/repositories/\(project)/pullrequests"
        guard request.path.hasPrefix(root) else { return missing }
        let parts = request.path.dropFirst(root.count).split(separator: "/").map(String.init)
        func value(_ name: String) -> String? { query.last { $0.0 == name }?.1 }
        switch (request.method, parts.count) {
        case ("GET", 0):
            let states = query.filter { $0.0 == "state" }.map(\.1)
            let terms = (value("q") ?? "").components(separatedBy: " AND ")
            func term(_ name: String) -> String? {
                terms.first { $0.hasPrefix(name + "=\"") }.map { String($0.dropFirst(name.count + 2).dropLast()) }
            }
            var found = pulls.filter { pull in
                (states.isEmpty ? pull.isOpen : states.contains(bitbucketState(pull)))
                    && (term("source.branch.name") ?? pull.head) == pull.head
                    && (term("destination.branch.name") ?? pull.base) == pull.base
            }
            found.reverse()
            if value("sort") == "-updated_on" { found.sort { $0.updated > $1.updated } }
            let limit = min(Int(value("pagelen") ?? "10") ?? 10, 50)
            // Lists have no reviewers.
            var list: [String: Any] = [
                "pagelen": limit, "page": 1,
                "values": found.prefix(limit).map { bitbucketValue($0, hasReviewers: false) },
            ]
            if found.count > limit { list["next"] = "https://api.example/next" }
            return json(200, list)
        case ("GET", 1):
            guard let index = index(parts[0]) else { return missing }
            return json(200, bitbucketValue(pulls[index], hasReviewers: true))
        case ("POST", 0):
            let source = (body["source"] as? [String: Any])?["branch"] as? [String: Any]
            let destination = (body["destination"] as? [String: Any])?["branch"] as? [String: Any]
            guard let title = body["title"] as? String, let head = source?["name"] as? String else {
                return json(400, ["type": "error", "error": ["message": "title: required"]])
            }
            let reviewers = body["reviewers"] as? [[String: String]] ?? []
            if reviewers.contains(where: { $0["uuid"] == Self.accountID }) {
                return json(
                    400,
                    [
                        "type": "error",
                        "error": [
                            "message": "reviewers: slipway is the author and cannot be included as a reviewer."
                        ],
                    ])
            }
            let index = make(
                head, destination?["name"] as? String ?? "main", title, body["description"] as? String ?? "")
            pulls[index].isDraft = body["draft"] as? Bool ?? false
            pulls[index].reviewers = reviewers.compactMap { $0["uuid"] ?? $0["account_id"] }
            return json(201, bitbucketValue(pulls[index], hasReviewers: true))
        case ("PUT", 1):
            guard let index = index(parts[0]) else { return missing }
            pulls[index].title = body["title"] as? String ?? pulls[index].title
            pulls[index].body = body["description"] as? String ?? pulls[index].body
            pulls[index].reviewers = (body["reviewers"] as? [[String: String]] ?? []).compactMap { $0["uuid"] }
            touch(index)
            return json(200, bitbucketValue(pulls[index], hasReviewers: true))
        case ("POST", 2) where parts[1] == "decline":
            guard let index = index(parts[0]) else { return missing }
            close(index)
            return json(200, bitbucketValue(pulls[index], hasReviewers: true))
        case ("GET", 2) where parts[1] == "comments":
            guard let index = index(parts[0]) else { return missing }
            return json(200, ["values": pulls[index].notes.map(bitbucketComment)])
        case ("POST", 2) where parts[1] == "comments":
            guard let index = index(parts[0]) else { return missing }
            let content = body["content"] as? [String: Any]
            return json(201, bitbucketComment(say(index, content?["raw"] as? String ?? "")))
        case ("PUT", 3) where parts[1] == "comments":
            let content = body["content"] as? [String: Any]
            guard let index = index(parts[0]), let note = edit(index, parts[2], content?["raw"] as? String ?? "")
            else { return missing }
            return json(200, bitbucketComment(note))
        default: return missing
        }
    }

    /// Of the token's account.
    package static var accountID: String { "{00000000-0000-4000-8000-000000000001}" }

    private func bitbucketState(_ pull: Pull) -> String {
        pull.isMerged ? "MERGED" : pull.isOpen ? "OPEN" : "DECLINED"
    }

    private func bitbucketComment(_ note: Pull.Note) -> [String: Any] {
        [
            "id": note.id, "content": ["raw": note.body] as [String: Any], "deleted": false,
            "user": ["uuid": note.author == account ? Self.accountID : "{\(note.author)}"] as [String: Any],
        ]
    }

    private func bitbucketValue(_ pull: Pull, hasReviewers: Bool) -> [String: Any] {
        var value: [String: Any] = [
            "id": pull.number, "title": pull.title, "description": pull.body, "state": bitbucketState(pull),
            "draft": pull.isDraft, "author": ["uuid": Self.accountID] as [String: Any],
            "links": [
                "html": ["href": "https://bitbucket.example/\(project)/pull-requests/\(pull.number)"] as [String: Any]
            ] as [String: Any],
            // It gives the first digits only.
            "source": [
                "branch": ["name": pull.head] as [String: Any],
                "commit": sha(pull).map { ["hash": String($0.prefix(12))] } as Any? ?? NSNull(),
                "repository": ["full_name": pull.isFork ? "somebody/shop" : project] as [String: Any],
            ] as [String: Any],
            "destination": [
                "branch": ["name": pull.base] as [String: Any],
                "repository": ["full_name": project] as [String: Any],
            ] as [String: Any],
        ]
        if hasReviewers { value["reviewers"] = pull.reviewers.map { ["uuid": $0] } }
        return value
    }
}
