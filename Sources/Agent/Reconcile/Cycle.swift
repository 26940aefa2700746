import Diagnostics
import Git

/// What a cycle gathers on its way: the report, and the time of each phase.
struct Cycle {
    let repository: AgentConfiguration.RepositoryConfiguration
    let tools: Tools
    let dryRun: Bool
    let say: @Sendable (String) -> Void
    var report: CycleReport

    init(
        repository: AgentConfiguration.RepositoryConfiguration, tools: Tools, dryRun: Bool,
        say: @escaping @Sendable (String) -> Void
    ) {
        self.repository = repository
        self.tools = tools
        self.dryRun = dryRun
        self.say = say
        report = CycleReport(
            repository: repository.name, url: tools.mirror.displayURL, branch: repository.branch)
        report.dryRun = dryRun
    }

    /// Runs one step: its error gets the phase and the subject, its time goes into the report.
    mutating func phase<Value>(
        _ phase: Phase, subject: String? = nil, _ body: () async throws -> Value
    ) async throws(ReconcileError) -> Value {
        Failpoint.pass("before:\(phase.rawValue)")
        let start = ContinuousClock.now
        defer {
            report.steps.append(
                CycleReport.Step(phase: phase, subject: subject, seconds: (ContinuousClock.now - start).seconds))
        }
        do {
            let value = try await body()
            Failpoint.pass("after:\(phase.rawValue)")
            return value
        } catch {
            throw ReconcileError(
                phase: phase, subject: subject, disposition: Self.disposition(of: phase, error),
                underlying: error as? any Diagnostic ?? AgentError("\(error)"))
        }
    }

    /// Trouble with the network is tried again; what is wrong in the repository waits for another commit.
    private static func disposition(of phase: Phase, _ error: any Error) -> Disposition {
        if let error = error as? GitError, [.unverified, .signing, .hostKeyMismatch].contains(error.code) {
            return .stalled
        }
        return switch phase {
        case .discover, .plan, .select, .rewrite: .stalled
        case .sync, .changed, .execute, .push, .scan, .commit, .publish, .record: .retry
        }
    }

    mutating func decide(_ subject: String, _ reason: String, remedy: String? = nil) {
        decide([CycleReport.Decision(subject: subject, reason: reason, remedy: remedy)])
    }

    mutating func decide(_ decisions: [CycleReport.Decision]) {
        for decision in decisions where !report.decisions.contains(decision) {
            report.decisions.append(decision)
            say("\(decision.subject): \(decision.reason)" + (decision.remedy.map { "\n  hint: \($0)" } ?? ""))
        }
    }

    mutating func fail(_ error: ReconcileError) { report.fail(error) }

    mutating func propose(_ proposals: [Reconciler.Proposal]) {
        report.updates = proposals.flatMap(\.edits.updates)
        report.message = proposals.last?.message
        report.diff = proposals.map(\.diff).joined()
    }

    /// - Parameter branch: `nil` for the branch that is watched.
    mutating func committed(_ proposal: Reconciler.Proposal, to branch: String?) {
        report.commit = proposal.id.description
        report.commits.append(
            CycleReport.Published(
                commit: proposal.id.description, message: proposal.message, branch: branch ?? repository.branch))
        for update in proposal.edits.updates {
            say(
                "Updated \(update.file):\(update.line) \(update.workload) \(update.container): \(update.old) -> \(update.new)"
            )
        }
        say("Commit pushed: \(proposal.id.short) \(proposal.subject)" + (branch.map { " (branch \($0))" } ?? ""))
    }

    func finished() -> CycleReport { report }
}
