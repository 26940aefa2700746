import Forge

/// The pull requests of the agent's branches, as the code host told of them last; kept from one cycle to the next.
///
/// A cycle asks for one list, that of those which changed last. A branch's own are asked for where the list does not show one
/// and the branch or its change moved since, and now and then.
actor PullRequestIndex {
    /// What was asked of a branch: while it stays the same, so does the answer.
    struct Question: Hashable, Sendable {
        let branch: String
        /// Its head; `nil` where there is none.
        let head: String?
        /// As the marker names it.
        let changes: [String]
    }

    private struct Known {
        var question: Question
        /// Seconds since 1970.
        var askedAt: Int64
        var pulls: [PullRequest]
    }

    /// Seconds after which what is known is asked for again.
    private static let age: Int64 = 3600

    private let forge: any Forge
    private let base: String
    private let prefix: String
    private let clock: any AgentClock
    private var listing: Result<RecentPullRequests, ForgeError>?
    private var known: [String: Known] = [:]

    /// - Parameters:
    ///   - base: the branch that they are to be merged into.
    ///   - prefix: with which the agent's branches begin.
    init(_ forge: any Forge, base: String, prefix: String, clock: any AgentClock) {
        self.forge = forge
        self.base = base
        self.prefix = prefix
        self.clock = clock
    }

    /// Begins a cycle: the list is asked for anew when it is needed.
    func begin() {
        listing = nil
        let oldest = clock.now - Self.age
        known = known.filter { $0.value.askedAt >= oldest }
    }

    /// The pull requests of a branch, the newest first.
    func pulls(for question: Question) async throws(ForgeError) -> [PullRequest] {
        let list = try await list()
        let shown = list.pulls.filter { $0.branch == question.branch }
        let remembered = known[question.branch]
        var all = shown
        func add(_ pulls: [PullRequest]) {
            for pull in pulls where !all.contains(where: { $0.number == pull.number }) { all.append(pull) }
        }
        if shown.contains(where: { $0.state == .open }) || list.isComplete || remembered?.question == question {
            add(remembered?.pulls ?? [])
        } else {
            let found = try await forge.find(head: question.branch, base: base)
            known[question.branch] = Known(question: question, askedAt: clock.now, pulls: found)
            add(found)
        }
        return all.sorted { $0.number > $1.number }
    }

    /// Takes note of a pull request that was opened or changed just now: lists may show it later.
    func note(_ pull: PullRequest, for question: Question) {
        let last = known[question.branch]
        let others = (last?.pulls ?? []).filter { $0.number != pull.number }
        known[question.branch] = Known(
            question: question, askedAt: last?.question == question ? last?.askedAt ?? clock.now : clock.now,
            pulls: [pull] + others)
    }

    /// The list of this cycle. One that failed is not asked for again before the next cycle.
    private func list() async throws(ForgeError) -> RecentPullRequests {
        if let listing { return try listing.get() }
        let result: Result<RecentPullRequests, ForgeError>
        do throws(ForgeError) {
            result = .success(try await forge.recent(base: base, prefix: prefix))
        } catch {
            result = .failure(error)
        }
        listing = result
        return try result.get()
    }
}
