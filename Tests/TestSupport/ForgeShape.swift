import Foundation

/// What the hosts publish of the bodies that they take: the fields of the requests that the agent makes, from GitHub's OpenAPI
/// description (rest-api-description), GitLab's API documentation, Gitea's swagger (`CreatePullRequestOption`, …), Bitbucket's
/// swagger, the OpenAPI document of Bitbucket Data Center 8.19, and vsts-rest-api-specs of Azure DevOps.
struct ForgeShape: Sendable {
    enum Kind: Sendable { case text, number, flag, other }

    /// `a.b[].c`, and what may be there.
    private let fields: [String: (kind: Kind, isRequired: Bool, choices: [String])]

    /// - Parameter fields: `name`, `name*` where it is required, `name#` for a number, `name?` for a flag, `name=a|b` for choices,
    ///   `name{}` for whatever.
    private init(_ fields: String...) {
        var all: [String: (kind: Kind, isRequired: Bool, choices: [String])] = [:]
        for field in fields {
            let parts = field.split(separator: "=", maxSplits: 1)
            var name = String(parts[0])
            var kind = Kind.text
            let isRequired = name.hasSuffix("*")
            if isRequired { name.removeLast() }
            for (mark, marked) in [("#", Kind.number), ("?", .flag), ("{}", .other)] where name.hasSuffix(mark) {
                name.removeLast(mark.count)
                kind = marked
            }
            let choices = parts.count > 1 ? parts[1].split(separator: "|").map(String.init) : []
            all[name] = (kind, isRequired, choices)
        }
        self.fields = all
    }

    private struct Place: Sendable {
        let method: String
        /// With `*` for one part.
        let path: String
        let shape: ForgeShape

        init(_ method: String, _ path: String, _ shape: ForgeShape) {
            self.method = method
            self.path = path
            self.shape = shape
        }
    }

    private static let places: [FakeForge.Kind: [Place]] = [
        .github: [
            Place("POST", "pulls", ForgeShape("title", "head*", "base*", "body", "draft?", "maintainer_can_modify?")),
            Place(
                "PATCH", "pulls/*", ForgeShape("title", "body", "state=open|closed", "base", "maintainer_can_modify?")),
            Place(
                "PUT", "pulls/*/merge",
                ForgeShape("commit_title", "commit_message", "sha", "merge_method=merge|squash|rebase")),
            Place("POST", "pulls/*/requested_reviewers", ForgeShape("reviewers[]", "team_reviewers[]")),
            Place("POST", "issues/*/labels", ForgeShape("labels[]")),
            Place("POST", "issues/*/assignees", ForgeShape("assignees[]")),
            Place("POST", "issues/*/comments", ForgeShape("body*")),
            Place("PATCH", "issues/comments/*", ForgeShape("body*")),
            Place("POST", "graphql", ForgeShape("query*", "variables{}")),
        ],
        .gitlab: [
            Place(
                "POST", "merge_requests",
                ForgeShape(
                    "source_branch*", "target_branch*", "title*", "description", "labels", "reviewer_ids[]#",
                    "assignee_ids[]#", "remove_source_branch?", "squash?")),
            Place(
                "PUT", "merge_requests/*",
                ForgeShape("title", "description", "state_event=close|reopen", "labels", "target_branch")),
            Place(
                "PUT", "merge_requests/*/merge",
                ForgeShape(
                    "sha", "squash?", "should_remove_source_branch?", "merge_when_pipeline_succeeds?", "auto_merge?")),
            Place("POST", "merge_requests/*/notes", ForgeShape("body*")),
            Place("PUT", "merge_requests/*/notes/*", ForgeShape("body*")),
        ],
        .gitea: [
            Place(
                "POST", "pulls",
                ForgeShape("head", "base", "title", "body", "labels[]#", "assignees[]", "assignee", "milestone#")),
            Place("PATCH", "pulls/*", ForgeShape("title", "body", "state=open|closed", "base")),
            Place(
                "POST", "pulls/*/merge",
                ForgeShape(
                    "Do*=merge|rebase|rebase-merge|squash|fast-forward-only", "head_commit_id",
                    "merge_when_checks_succeed?", "delete_branch_after_merge?")),
            Place("POST", "pulls/*/requested_reviewers", ForgeShape("reviewers[]", "team_reviewers[]")),
            Place("POST", "issues/*/comments", ForgeShape("body*")),
            Place("PATCH", "issues/comments/*", ForgeShape("body*")),
        ],
        .bitbucket: [
            Place(
                "POST", "pullrequests",
                ForgeShape(
                    "title*", "description", "source.branch.name*", "destination.branch.name", "reviewers[].uuid",
                    "reviewers[].account_id", "close_source_branch?", "draft?")),
            Place("PUT", "pullrequests/*", ForgeShape("title", "description", "reviewers[].uuid", "draft?")),
            Place("POST", "pullrequests/*/decline", ForgeShape()),
            Place("POST", "pullrequests/*/comments", ForgeShape("content.raw*")),
            Place("PUT", "pullrequests/*/comments/*", ForgeShape("content.raw*")),
        ],
        .bitbucketServer: [
            Place(
                "POST", "pull-requests",
                ForgeShape(
                    "title", "description", "fromRef.id", "fromRef.repository.slug",
                    "fromRef.repository.project.key", "toRef.id", "toRef.repository.slug",
                    "toRef.repository.project.key", "reviewers[].user.name", "draft?")),
            Place(
                "PUT", "pull-requests/*",
                ForgeShape("version#*", "title", "description", "reviewers[].user.name")),
            Place("POST", "pull-requests/*/decline", ForgeShape("version#", "comment")),
            Place(
                "POST", "pull-requests/*/merge",
                ForgeShape("version#", "autoMerge?", "autoSubject", "message", "strategyId")),
            Place("POST", "pull-requests/*/comments", ForgeShape("text")),
            Place("PUT", "pull-requests/*/comments/*", ForgeShape("version#", "text")),
        ],
        .azureDevOps: [
            Place(
                "POST", "pullrequests",
                ForgeShape(
                    "sourceRefName*", "targetRefName*", "title*", "description", "isDraft?", "reviewers[].id",
                    "labels[].name")),
            Place(
                "PATCH", "pullrequests/*",
                ForgeShape(
                    "title", "description", "status=active|abandoned|completed", "autoCompleteSetBy.id",
                    "completionOptions.mergeStrategy=noFastForward|squash|rebase|rebaseMerge",
                    "completionOptions.deleteSourceBranch?")),
            Place(
                "POST", "pullrequests/*/threads",
                ForgeShape(
                    "comments[].parentCommentId#", "comments[].content", "comments[].commentType=text|system",
                    "status=active|byDesign|closed|fixed|pending|unknown|wontFix")),
            Place("PATCH", "pullrequests/*/threads/*/comments/*", ForgeShape("content")),
        ],
    ]

    /// What is wrong with what was sent; `nil` when it is of the published shape.
    static func mistake(in request: StubRequest, to kind: FakeForge.Kind) -> String? {
        guard request.method != "GET" else { return nil }
        let place = places[kind]?.first { $0.method == request.method && matches(request.path, $0.path) }
        let name = "\(request.method) \(request.path)"
        guard let place else { return "\(name) is no request of this API" }
        guard let body = try? JSONSerialization.jsonObject(with: Data(request.body)) as? [String: Any] else {
            return "\(name): the body is not an object"
        }
        return place.shape.mistake(in: body).map { "\(name): \($0)" }
    }

    private static func matches(_ path: String, _ pattern: String) -> Bool {
        let wanted = pattern.split(separator: "/")
        let parts = path.lowercased().split(separator: "/").suffix(wanted.count)
        return parts.count == wanted.count && zip(parts, wanted).allSatisfy { $1 == "*" || $0 == $1 }
    }

    private func mistake(in body: [String: Any]) -> String? {
        var seen: Set<String> = []
        func look(_ value: Any, at path: String) -> String? {
            if let field = fields[path], field.kind == .other {
                seen.insert(path)
                return nil
            }
            switch value {
            case let object as [String: Any]:
                for (name, value) in object {
                    if let mistake = look(value, at: path.isEmpty ? name : "\(path).\(name)") { return mistake }
                }
                return nil
            case let list as [Any]:
                guard !list.isEmpty else {
                    return fields.keys.contains { $0.hasPrefix(path + "[]") } ? nil : "'\(path)' is unknown"
                }
                for item in list { if let mistake = look(item, at: path + "[]") { return mistake } }
                return nil
            default: break
            }
            guard let field = fields[path] else { return "'\(path)' is unknown" }
            seen.insert(path)
            switch field.kind {
            case .text:
                guard let text = value as? String else { return "'\(path)' is not a text" }
                guard field.choices.isEmpty || field.choices.contains(text) else { return "'\(path)' is '\(text)'" }
            case .number: if Self.isFlag(value) || !(value is Int) { return "'\(path)' is not a number" }
            case .flag: if !Self.isFlag(value) { return "'\(path)' is not a flag" }
            case .other: break
            }
            return nil
        }
        if let mistake = look(body, at: "") { return mistake }
        let missing = fields.filter { $0.value.isRequired && !seen.contains($0.key) }.keys.sorted()
        return missing.isEmpty ? nil : "'\(missing[0])' is missing"
    }

    /// JSON's `true` and `false`, which Foundation takes for numbers, too.
    private static func isFlag(_ value: Any) -> Bool {
        (value as? NSNumber).map { ["c", "B"].contains(String(cString: $0.objCType)) } ?? (value is Bool)
    }
}
