import Foundation

/// A fake of a code host's API, written from its public documentation: GitHub's REST API 2022-11-28, GitLab's API v4, Gitea's API
/// v1, Bitbucket Cloud's API 2.0, Bitbucket Data Center's, and that of Azure DevOps. It keeps pull requests in memory and is as strict as the documentation: methods, paths, tokens, required fields, statuses.
///
/// `@unchecked Sendable`: everything mutable is touched under the lock.
package final class FakeForge: @unchecked Sendable {
    package enum Kind: String, Sendable, CaseIterable {
        case github, gitlab, gitea, bitbucket
        case bitbucketServer = "bitbucket-server"
        case azureDevOps = "azure-devops"

        /// Whether it merges a pull request once its checks have passed.
        package var hasAutoMerge: Bool { self != .bitbucket }
        /// Whether its lists can be asked for only if they changed.
        package var marksLists: Bool { self == .github || self == .gitlab }
    }

    package struct Pull: Sendable {
        package struct Note: Sendable {
            package let id: Int
            package let author: String
            package var body: String
            var version = 0
        }

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
        package var notes: [Note] = []
        package var comments: [String] { notes.map(\.body) }
        package var autoMerge: String?
        /// Whether it is from another repository's branch of that name.
        package var isFork = false
        /// What merged it: a method.
        package var mergedBy: String?
        /// Which change of the host's it was last touched by.
        var updated = 0
        /// Gitea's timeline.
        var events: [String] = []
        /// The head that auto-merge was turned on for.
        var scheduledAt: String?
        /// The head when it was closed: hosts do not follow the branch of a closed one.
        var closedAt: String?
    }

    /// What stands between a pull request and being merged.
    package enum Checks: Sendable {
        /// Required ones are under way.
        case pending
        /// There are none, nor a pipeline.
        case none
        /// The host does not know yet.
        case preparing
    }

    package let kind: Kind
    package let token: String
    let project: String
    private let branch: @Sendable (String) -> String?
    private let lock = NSLock()
    var pulls: [Pull] = []
    var checks = Checks.pending
    var allowsAutoMerge = true
    private var failures: [StubReply] = []
    private var refusals: [String: StubReply] = [:]
    private var clock = 0
    private var quota: (left: Int, reset: Int)?
    private var unchanged = 0
    private var noted = 0
    private var mistakes: [String] = []
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
        branch = head
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
        case .bitbucket: return root + "/2.0"
        case .bitbucketServer: return root + "/rest/api/latest"
        case .azureDevOps: return root + "/org"
        }
    }

    /// The token's account.
    let account = "slipway"

    /// What was sent that is not of the shape that the host publishes.
    package var violations: [String] { lock.withLock { mistakes } }

    package var requests: [StubRequest] { server?.requests ?? [] }
    package var all: [Pull] { lock.withLock { pulls } }

    package func change(_ number: Int, _ body: (inout Pull) -> Void) {
        lock.withLock {
            guard let index = pulls.firstIndex(where: { $0.number == number }) else { return }
            let had = pulls[index].autoMerge
            body(&pulls[index])
            if had != nil, pulls[index].autoMerge == nil { pulls[index].events.append("pull_cancel_scheduled_merge") }
            touch(index)
            if !pulls[index].isOpen { close(index) }
        }
    }

    /// What stands between pull requests and being merged from now on.
    package func set(checks: Checks, allowsAutoMerge: Bool = true) {
        lock.withLock {
            self.checks = checks
            self.allowsAutoMerge = allowsAutoMerge
        }
    }

    /// Refuses to open pull requests for a branch; `nil`: not any more.
    package func refuse(_ head: String, with reply: StubReply?) { lock.withLock { refusals[head] = reply } }

    /// Answers so many requests more, and refuses the others until a time (seconds since 1970).
    package func limit(to left: Int?, reset: Int = 0) { lock.withLock { quota = left.map { ($0, reset) } } }

    /// A pull request of somebody's fork, whose branch has the same name.
    package func fork(_ head: String, base: String, body: String) {
        lock.withLock {
            let index = make(head, base, "from a fork", body)
            pulls[index].isFork = true
            close(index)
        }
    }

    /// How many answers said that nothing changed.
    package var notModified: Int { lock.withLock { unchanged } }

    /// A comment of somebody's.
    package func comment(_ number: Int, _ body: String, by author: String) {
        lock.withLock {
            guard let index = pulls.firstIndex(where: { $0.number == number }) else { return }
            say(index, body, by: author)
        }
    }

    @discardableResult
    func say(_ index: Int, _ body: String, by author: String? = nil) -> Pull.Note {
        noted += 1
        let note = Pull.Note(id: noted, author: author ?? account, body: body)
        pulls[index].notes.append(note)
        return note
    }

    func edit(_ index: Int, _ id: String, _ body: String) -> Pull.Note? {
        guard let place = pulls[index].notes.firstIndex(where: { String($0.id) == id }) else { return nil }
        pulls[index].notes[place].body = body
        pulls[index].notes[place].version += 1
        return pulls[index].notes[place]
    }

    /// The same where the host names comments without their pull request.
    func edit(_ id: String, _ body: String) -> Pull.Note? {
        pulls.indices.lazy.compactMap { self.edit($0, id, body) }.first
    }

    func head(_ name: String) -> String? { branch(name) }

    func touch(_ index: Int) {
        clock += 1
        pulls[index].updated = clock
    }

    func close(_ index: Int) {
        touch(index)
        pulls[index].isOpen = false
        pulls[index].closedAt = pulls[index].closedAt ?? head(pulls[index].head)
    }

    func merge(_ index: Int, _ method: String) {
        close(index)
        pulls[index].isMerged = true
        pulls[index].mergedBy = method
    }

    func schedule(_ index: Int, _ method: String) {
        touch(index)
        pulls[index].autoMerge = method
        pulls[index].scheduledAt = sha(pulls[index])
        pulls[index].events.append("pull_scheduled_merge")
    }

    func sha(_ pull: Pull) -> String? { pull.isOpen ? head(pull.head) : pull.closedAt }

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
            if let refusal = limited() { return refusal }
            // GitHub and Gitea close what has no branch any more.
            for index in pulls.indices
            where [.github, .gitea].contains(kind) && pulls[index].isOpen && head(pulls[index].head) == nil {
                close(index)
            }
            // GitLab and Bitbucket forget auto-merge with the next push.
            for index in pulls.indices
            where [.gitlab, .bitbucketServer].contains(kind) && pulls[index].autoMerge != nil
                && pulls[index].scheduledAt != sha(pulls[index])
            {
                pulls[index].autoMerge = nil
            }
            let query = URLComponents(string: request.target)?.queryItems ?? []
            let values = Dictionary(query.map { ($0.name, $0.value ?? "") }) { first, _ in first }
            let body = (try? JSONSerialization.jsonObject(with: Data(request.body))) as? [String: Any] ?? [:]
            if let mistake = ForgeShape.mistake(in: request, to: kind) {
                mistakes.append(mistake)
                return json(422, ["message": "Validation Failed: \(mistake)"])
            }
            let source = Self.source(body)
            if request.method == "POST", let source, let refusal = refusals[source] { return refusal }
            let reply =
                switch kind {
                case .github: github(request, values, body)
                case .gitlab: gitlab(request, values, body)
                case .gitea: gitea(request, values, body)
                case .bitbucket: bitbucket(request, query.map { ($0.name, $0.value ?? "") }, body)
                case .bitbucketServer: bitbucketServer(request, values, body)
                case .azureDevOps: azureDevOps(request, values, body)
                }
            return conditional(reply, request)
        }
    }

    /// The branch that a pull request is to be opened for.
    private static func source(_ body: [String: Any]) -> String? {
        let reference =
            (body["fromRef"] as? [String: Any])?["id"] as? String ?? body["sourceRefName"] as? String
        return body["head"] as? String ?? body["source_branch"] as? String
            ?? ((body["source"] as? [String: Any])?["branch"] as? [String: Any])?["name"] as? String
            ?? reference.map { String($0.dropFirst("refs/heads/".count)) }
    }

    private func limited() -> StubReply? {
        guard let quota else { return nil }
        guard quota.left > 0 else {
            return .text(
                kind == .github ? 403 : 429, #"{"message":"API rate limit exceeded"}"#,
                headers: [
                    (kind == .gitlab ? "RateLimit-Remaining" : "X-RateLimit-Remaining", "0"),
                    (kind == .gitlab ? "RateLimit-Reset" : "X-RateLimit-Reset", String(quota.reset)),
                ])
        }
        self.quota = (quota.left - 1, quota.reset)
        return nil
    }

    /// GitHub and GitLab mark their answers; the others do not.
    private func conditional(_ reply: StubReply, _ request: StubRequest) -> StubReply {
        guard kind.marksLists, request.method == "GET", case .answer(200, let headers, let body) = reply else {
            return reply
        }
        var hash: UInt64 = 14_695_981_039_346_656_037
        for byte in body { hash = (hash ^ UInt64(byte)) &* 1_099_511_628_211 }
        let etag = "W/\"\(String(hash, radix: 16))\""
        if request.headers["if-none-match"] == etag {
            unchanged += 1
            return .answer(304, headers: [("ETag", etag)])
        }
        return .answer(200, headers: headers + [("ETag", etag)], body: body)
    }

    /// A page of a list, with a link to the next one.
    func page(_ list: [Pull], _ query: [String: String], size: String, _ value: (Pull) -> [String: Any]) -> StubReply {
        let number = Int(query["page"] ?? "1") ?? 1
        let limit = min(Int(query[size] ?? "30") ?? 30, kind == .gitea ? 50 : 100)
        let rest = list.dropFirst((number - 1) * limit)
        guard case .answer(let status, var headers, let body) = json(200, rest.prefix(limit).map(value)) else {
            return .text(500, "")
        }
        if rest.count > limit { headers.append(("Link", "<https://next.example/>; rel=\"next\"")) }
        return .answer(status, headers: headers, body: body)
    }

    private func isAuthorized(_ request: StubRequest) -> Bool {
        switch kind {
        case .github: request.headers["authorization"] == "Bearer \(token)"
        case .gitlab: request.headers["private-token"] == token
        case .gitea: request.headers["authorization"] == "token \(token)"
        case .bitbucket, .bitbucketServer: request.headers["authorization"] == "Bearer \(token)"
        case .azureDevOps:
            request.headers["authorization"] == "Basic \(Data(":\(token)".utf8).base64EncodedString())"
        }
    }

    func json(_ status: Int, _ value: Any) -> StubReply {
        let data = (try? JSONSerialization.data(withJSONObject: value, options: [.sortedKeys])) ?? Data()
        return .answer(status, headers: [("Content-Type", "application/json")], body: [UInt8](data))
    }

    func index(_ text: String) -> Int? {
        Int(text).flatMap { number in pulls.firstIndex { $0.number == number } }
    }

    func make(_ head: String, _ base: String, _ title: String, _ body: String) -> Int {
        pulls.append(Pull(number: pulls.count + 1, head: head, base: base, title: title, body: body))
        touch(pulls.count - 1)
        return pulls.count - 1
    }

    func hasOpen(_ head: String, _ base: String) -> Bool {
        pulls.contains { $0.isOpen && !$0.isFork && $0.head == head && $0.base == base }
    }
}

private final class WeakForge: Sendable {
    weak let forge: FakeForge?

    init(_ forge: FakeForge) { self.forge = forge }
}
