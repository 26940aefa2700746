import Forge

/// What a code host refused, and when it is asked again: nothing that stays the same is asked in each cycle.
actor PullRequestAttempts {
    private struct Refusal {
        let question: PullRequestIndex.Question
        let error: ForgeError
        let attempts: Int64
        let nextAt: Int64
    }

    private struct Merge {
        let head: String
        let outcome: AutoMerge
        /// Seconds since 1970: since when it is so, and when it is tried again.
        let since: Int64
        let nextAt: Int64
    }

    private let clock: any AgentClock
    private var refusals: [String: Refusal] = [:]
    private var merges: [Int: Merge] = [:]

    private static let longestPause: Int64 = 600
    /// Seconds for which auto-merge is tried in each cycle, and the pause after that.
    private static let eager: Int64 = 900
    private static let pause: Int64 = 300
    private static let pauseAfterRefusal: Int64 = 3600
    /// Pull requests that are remembered.
    private static let limit = 1000

    init(_ clock: any AgentClock) { self.clock = clock }

    // MARK: Opening

    /// Fails as before when the same was refused a short time ago.
    func check(_ question: PullRequestIndex.Question) throws(ForgeError) {
        guard let refusal = refusals[question.branch], refusal.question == question, clock.now < refusal.nextAt else {
            return
        }
        throw refusal.error
    }

    /// The pause is a minute at first, and ten at most. What the host is not at fault for by itself has none: others see to that.
    func refused(_ question: PullRequestIndex.Question, with error: ForgeError) {
        guard [.refused, .policy, .authentication, .notFound].contains(error.code) else { return }
        let last = refusals[question.branch].flatMap { $0.question == question ? $0.attempts : nil } ?? 0
        if refusals.count >= Self.limit { refusals = [:] }
        refusals[question.branch] = Refusal(
            question: question, error: error, attempts: last + 1,
            nextAt: clock.now + min(60 << min(last, 8), Self.longestPause))
    }

    func opened(_ question: PullRequestIndex.Question) { refusals[question.branch] = nil }

    // MARK: Auto-merge

    /// What came of it last, while it is not time to try again.
    func outcome(of pull: PullRequest) -> AutoMerge? {
        guard let merge = merges[pull.number], merge.head == pull.head, clock.now < merge.nextAt else { return nil }
        return merge.outcome
    }

    func note(_ outcome: AutoMerge, of pull: PullRequest) {
        let now = clock.now
        let last = merges[pull.number].flatMap { $0.head == pull.head ? $0 : nil }
        let since = last?.since ?? now
        if merges.count >= Self.limit { merges = [:] }
        let pause: Int64
        switch outcome {
        case .enabled, .merged:
            merges[pull.number] = nil
            return
        case .waiting: pause = now - since < Self.eager ? 0 : Self.pause
        case .refused: pause = Self.pauseAfterRefusal
        }
        merges[pull.number] = Merge(head: pull.head, outcome: outcome, since: since, nextAt: now + pause)
    }
}
