import Diagnostics
import Forge

/// The comment that says what a pull request changes: written once for each change, also after a restart, and tried again later
/// where the host does not take it. Nothing waits for it.
actor PullRequestComments {
    private struct Attempt {
        let changes: [String]
        /// `nil`: the host has it.
        var nextAt: Int64?
        var failures: Int64 = 0
    }

    private let clock: any AgentClock
    private var attempts: [Int: Attempt] = [:]

    /// Pull requests that are remembered.
    private static let limit = 1000
    /// Seconds.
    private static let longestPause: Int64 = 3600

    init(_ clock: any AgentClock) { self.clock = clock }

    /// - Parameters:
    ///   - sources: what the images were made from.
    ///   - pull: an open one, which holds the proposal's change.
    func keep(
        _ proposal: PullRequestProposal, on pull: PullRequest, at forge: any Forge, _ sources: ImageSources,
        in cycle: CycleRecorder
    ) async {
        let changes = proposal.marker.changes
        let last = attempts[pull.number].flatMap { $0.changes == changes ? $0 : nil }
        guard last.map({ $0.nextAt.map { clock.now >= $0 } ?? false }) ?? true else { return }
        var attempt = Attempt(changes: changes, failures: last?.failures ?? 0)
        do {
            let text = PullRequestSummary(changes: try await sources.changes(of: proposal.updates)).text
            try await forge.keepComment(text, on: pull)
        } catch {
            attempt.nextAt = clock.now + min(60 << min(attempt.failures, 8), Self.longestPause)
            attempt.failures += 1
            let words = (error as? ForgeError).map(\.words) ?? (error as? any Diagnostic)?.summary ?? "\(error)"
            cycle.decide("pull request \(pull.url)", "no comment says what it changes: \(words)")
        }
        if attempts.count >= Self.limit { attempts = [:] }
        attempts[pull.number] = attempt
    }
}
