package import Forge
import Synchronization

/// A code host's pull requests in memory.
package final class InMemoryForge: Forge {
    fileprivate struct State {
        var requests: [PullRequest] = []
        var bases: [Int: String] = [:]
        /// Why pull requests were closed.
        var comments: [String] = []
        /// The comments that are kept, by pull request.
        var notes: [Int: [PullRequestComment]] = [:]
        var calls: [String] = []
        /// Answers that fail, by the call or by the call and the branch (`open slipway/web`), each once.
        var failures: [String: [ForgeError]] = [:]
        var merging: [AutoMerge] = []
        /// The numbers of those that changed last, the newest first.
        var recent: [Int] = []
    }

    private let state = Mutex(State())
    /// How many a list shows.
    private let listed: Int

    package init(listed: Int = 100) { self.listed = listed }

    package var open: [PullRequest] { state.withLock { $0.requests.filter { $0.state == .open } } }
    package var all: [PullRequest] { state.withLock { $0.requests } }
    package var comments: [String] { state.withLock { $0.comments } }
    /// The comments of a pull request.
    package func notes(of number: Int) -> [String] { state.withLock { $0.notes[number]?.map(\.body) ?? [] } }
    /// What was asked: `recent`, `find BRANCH`, `open BRANCH`, `update 1`, `close 1`, `merge 1`.
    package var calls: [String] { state.withLock { $0.calls } }

    /// A person changes a pull request.
    package func change(_ number: Int, _ body: (inout PullRequest) -> Void) {
        state.withLock { $0.change(number, body) }
    }

    /// A person closes a pull request, or merges it.
    package func set(_ number: Int, to newState: PullRequest.State) { change(number) { $0.state = newState } }

    /// Lets the next call of a kind fail.
    package func fail(_ call: String, with error: ForgeError) {
        state.withLock { $0.failures[call, default: []].append(error) }
    }

    /// What comes of the next attempts to turn auto-merge on; by default it is on at once.
    package func merge(_ outcomes: AutoMerge...) { state.withLock { $0.merging = outcomes } }

    private func call<Value: Sendable>(_ name: String, _ body: (inout State) -> Value) throws(ForgeError) -> Value {
        let result = state.withLock { state -> Result<Value, ForgeError> in
            state.calls.append(name)
            for key in [name, String(name.prefix { $0 != " " })] where state.failures[key]?.isEmpty == false {
                if let error = state.failures[key]?.removeFirst() { return .failure(error) }
            }
            return .success(body(&state))
        }
        return try result.get()
    }

    package func recent(base: String, prefix: String) async throws(ForgeError) -> RecentPullRequests {
        try call("recent") { state in
            let numbers = state.recent.filter { state.bases[$0] == base }
            let pulls = numbers.prefix(listed).compactMap { number in state.requests.first { $0.number == number } }
            return RecentPullRequests(
                pulls: pulls.filter { $0.branch.hasPrefix(prefix) }, isComplete: numbers.count < listed)
        }
    }

    package func find(head: String, base: String) async throws(ForgeError) -> [PullRequest] {
        try call("find \(head)") { state in
            state.requests.reversed().filter { $0.branch == head && state.bases[$0.number] == base }
        }
    }

    package func open(
        _ draft: PullRequestDraft
    ) async throws(ForgeError) -> (pullRequest: PullRequest, warnings: [String]) {
        try call("open \(draft.head)") { state in
            let number = state.requests.count + 1
            var request = PullRequest(
                number: number, url: "https://git.example.com/acme/shop/pulls/\(number)", state: .open,
                title: draft.title, body: draft.body, head: draft.head, branch: draft.head, isAutoMerge: false)
            request.author = "slipway"
            state.requests.append(request)
            state.bases[number] = draft.base
            state.recent.insert(number, at: 0)
            return (request, [])
        }
    }

    package func update(_ pullRequest: PullRequest, title: String?, body: String) async throws(ForgeError) {
        try call("update \(pullRequest.number)") { state in
            state.change(pullRequest.number) { request in
                request.title = title ?? request.title
                request.body = body
            }
        }
    }

    package func close(_ pullRequest: PullRequest, body: String, comment: String) async throws(ForgeError) {
        try call("close \(pullRequest.number)") { state in
            state.change(pullRequest.number) { request in
                request.state = .closed
                request.body = body
            }
            state.comments.append(comment)
        }
    }

    package func ensureAutoMerge(
        _ pullRequest: PullRequest, _ method: PullRequestOptions.MergeMethod
    ) async throws(ForgeError) -> AutoMerge {
        try call("merge \(pullRequest.number)") { state in
            let outcome: AutoMerge = state.merging.isEmpty ? .enabled : state.merging.removeFirst()
            state.change(pullRequest.number) { request in
                if outcome == .enabled { request.isAutoMerge = true }
                if outcome == .merged { request.state = .merged }
            }
            return outcome
        }
    }
}

extension InMemoryForge {
    package func comments(on pullRequest: PullRequest) async throws(ForgeError) -> [PullRequestComment] {
        try call("comments \(pullRequest.number)") { $0.notes[pullRequest.number] ?? [] }
    }

    package func comment(_ body: String, on pullRequest: PullRequest) async throws(ForgeError) {
        try call("comment \(pullRequest.number)") { state in
            let number = (state.notes[pullRequest.number]?.count ?? 0) + 1
            state.notes[pullRequest.number, default: []].append(
                PullRequestComment(id: String(number), body: body, author: "slipway"))
        }
    }

    package func edit(
        _ comment: PullRequestComment, to body: String, on pullRequest: PullRequest
    ) async throws(ForgeError) {
        try call("edit \(pullRequest.number)") { state in
            guard let index = state.notes[pullRequest.number]?.firstIndex(where: { $0.id == comment.id }) else {
                return
            }
            state.notes[pullRequest.number]?[index].body = body
        }
    }
}

private extension InMemoryForge.State {
    mutating func change(_ number: Int, _ body: (inout PullRequest) -> Void) {
        for index in requests.indices where requests[index].number == number { body(&requests[index]) }
        recent.removeAll { $0 == number }
        recent.insert(number, at: 0)
    }
}
