import Foundation

/// The API of Azure DevOps, version 7.0.
extension FakeForge {
    /// Of the token's account.
    package static var identity: String { "00000000-0000-4000-8000-000000000001" }
    private static let people = [
        "alice@example.com": "00000000-0000-4000-8000-00000000000a",
        "[acme]\\Platform": "00000000-0000-4000-8000-00000000000b",
    ]

    func azureDevOps(_ request: StubRequest, _ query: [String: String], _ body: [String: Any]) -> StubReply {
        func error(_ status: Int, _ message: String) -> StubReply {
            json(status, ["$id": "1", "message": message, "typeKey": "GitException", "errorCode": 0])
        }
        guard let version = query["api-version"], version.hasPrefix("7.0") else {
            return error(400, "The api-version must be given")
        }
        if request.path == "/org/_apis/connectionData" {
            return json(200, ["authenticatedUser": ["id": Self.identity]])
        }
        if request.path == "/org/_apis/identities" {
            let found = Self.people[query["filterValue"] ?? ""]
            return json(200, ["count": found == nil ? 0 : 1, "value": found.map { [["id": $0]] } ?? []])
        }
        let names = project.split(separator: "/").map(String.init)
        let root = "/org/\(names[0])/_apis/git/repositories/\(names[1])/pullrequests"
        let missing = error(404, "TF401019: The Git repository does not exist or you do not have permissions.")
        guard request.path.lowercased().hasPrefix(root) else { return missing }
        let parts = request.path.dropFirst(root.count).split(separator: "/").map(String.init)
        func branch(_ name: String?) -> String? { name.map { String($0.dropFirst("refs/heads/".count)) } }
        if request.method == "GET", parts.isEmpty {
            let status = query["searchCriteria.status"] ?? "active"
            let head = branch(query["searchCriteria.sourceRefName"])
            let base = branch(query["searchCriteria.targetRefName"])
            let found = pulls.filter { pull in
                (head ?? pull.head) == pull.head && (base ?? pull.base) == pull.base
                    && (status == "all" || status == azureState(pull))
            }
            let limit = Int(query["$top"] ?? "101") ?? 101
            // The newest come first, whatever changed last; descriptions are cut.
            return json(
                200, ["count": 0, "value": found.reversed().prefix(limit).map { azureValue($0, isListed: true) }])
        }
        if request.method == "POST", parts.isEmpty {
            guard let title = body["title"] as? String, let head = branch(body["sourceRefName"] as? String),
                let base = branch(body["targetRefName"] as? String)
            else { return error(400, "A source and a target are needed") }
            guard (body["description"] as? String ?? "").count <= 4000 else {
                return error(400, "The description must not have more than 4000 characters")
            }
            guard !hasOpen(head, base) else {
                return error(
                    409, "TF401179: An active pull request for the source and target branch already exists.")
            }
            let index = make(head, base, title, body["description"] as? String ?? "")
            pulls[index].isDraft = body["isDraft"] as? Bool ?? false
            pulls[index].labels = (body["labels"] as? [[String: String]] ?? []).compactMap { $0["name"] }
            pulls[index].reviewers = (body["reviewers"] as? [[String: String]] ?? []).compactMap { $0["id"] }
            return json(201, azureValue(pulls[index], isListed: false))
        }
        guard let index = index(parts.first ?? "") else { return missing }
        switch (request.method, parts.count) {
        case ("GET", 1): return json(200, azureValue(pulls[index], isListed: false))
        case ("PATCH", 1):
            if let completer = body["autoCompleteSetBy"] as? [String: String] {
                guard allowsAutoMerge else {
                    return error(403, "TF401027: You need the Git 'PullRequestContribute' permission to do this.")
                }
                let options = body["completionOptions"] as? [String: Any]
                let strategy = options?["mergeStrategy"] as? String ?? "noFastForward"
                guard completer["id"] == Self.identity else { return error(400, "Another user's identity") }
                if checks == .none { merge(index, strategy) } else { schedule(index, strategy) }
                return json(200, azureValue(pulls[index], isListed: false))
            }
            pulls[index].title = body["title"] as? String ?? pulls[index].title
            pulls[index].body = body["description"] as? String ?? pulls[index].body
            touch(index)
            if body["status"] as? String == "abandoned" { close(index) }
            return json(200, azureValue(pulls[index], isListed: false))
        case ("GET", 2) where parts[1] == "threads":
            return json(200, ["value": pulls[index].notes.map(azureThread)])
        case ("POST", 2) where parts[1] == "threads":
            let comment = (body["comments"] as? [[String: Any]])?.first
            return json(200, azureThread(say(index, comment?["content"] as? String ?? "")))
        case ("PATCH", 5) where parts[1] == "threads" && parts[3] == "comments" && parts[4] == "1":
            guard edit(index, parts[2], body["content"] as? String ?? "") != nil else { return missing }
            return json(200, ["id": 1])
        default: return missing
        }
    }

    private func azureState(_ pull: Pull) -> String {
        pull.isMerged ? "completed" : pull.isOpen ? "active" : "abandoned"
    }

    private func azureThread(_ note: Pull.Note) -> [String: Any] {
        [
            "id": note.id, "isDeleted": false, "status": "closed",
            "comments": [
                [
                    "id": 1, "content": note.body,
                    "author": ["id": note.author == account ? Self.identity : note.author] as [String: Any],
                ] as [String: Any]
            ],
        ]
    }

    private func azureValue(_ pull: Pull, isListed: Bool) -> [String: Any] {
        var value: [String: Any] = [
            "pullRequestId": pull.number, "status": azureState(pull), "title": pull.title,
            "description": isListed ? String(pull.body.prefix(400)) : pull.body,
            "sourceRefName": "refs/heads/" + pull.head, "targetRefName": "refs/heads/" + pull.base,
            "isDraft": pull.isDraft, "mergeStatus": checks == .preparing ? "queued" : "succeeded",
            "createdBy": ["id": Self.identity] as [String: Any],
        ]
        if let commit = sha(pull) { value["lastMergeSourceCommit"] = ["commitId": commit] }
        if pull.autoMerge != nil { value["autoCompleteSetBy"] = ["id": Self.identity] }
        if pull.isFork { value["forkSource"] = ["name": "refs/heads/" + pull.head] }
        return value
    }
}
