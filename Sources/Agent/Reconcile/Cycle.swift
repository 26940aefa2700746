import Diagnostics
import Git
import Glibc

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
                phase: phase, subject: subject, disposition: Self.disposition(of: phase),
                underlying: error as? any Diagnostic ?? AgentError("\(error)"))
        }
    }

    /// Trouble with the network is tried again; what is wrong in the repository waits for another commit.
    private static func disposition(of phase: Phase) -> Disposition {
        switch phase {
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

    mutating func propose(_ edits: Edits, _ commit: Reconciler.Proposal) {
        report.updates = edits.updates
        report.message = commit.message
        report.diff = commit.diff
    }

    mutating func committed(_ edits: Edits, _ commit: Reconciler.Proposal) {
        report.commit = commit.id.description
        for update in edits.updates {
            say(
                "Updated \(update.file):\(update.line) \(update.workload) \(update.container): \(update.old) -> \(update.new)"
            )
        }
        say("Commit pushed: \(commit.id.short) \(commit.subject)")
    }

    func finished() -> CycleReport { report }
}

/// Places where a test lets the process die: `SLIPWAY_FAILPOINT=after:push` ends it by SIGKILL there, as a node's failure
/// would. Without the variable it does nothing.
enum Failpoint {
    private static let name: String? = getenv("SLIPWAY_FAILPOINT").map { String(cString: $0) }

    static func pass(_ place: @autoclosure () -> String) {
        guard let name, name == place() else { return }
        kill(getpid(), SIGKILL)
    }
}

extension Duration {
    /// Seconds with their fraction, for reports.
    package var seconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}
