import Diagnostics
import Git
import OCI
import Synchronization
import Telemetry

/// A line of progress, for people.
package struct ProgressLine: Sendable {
    package let text: String
    /// Whether it tells of something that happens, and not only of what is looked at.
    package let isEvent: Bool
    /// Whether a build says it that goes on beside the cycle.
    package let isOfBuild: Bool

    package init(_ text: String, isEvent: Bool = false, isOfBuild: Bool = false) {
        self.text = text
        self.isEvent = isEvent
        self.isOfBuild = isOfBuild
    }
}

/// Gathers what a cycle does and decides while it runs: the report, and the time of each phase.
package final class CycleRecorder: Sendable {
    private let state: Mutex<CycleReport>
    private let imageAges = Mutex(FollowedImageAges())
    /// Whether nothing is built, pushed or committed.
    package let dryRun: Bool
    private let tell: @Sendable (ProgressLine) -> Void

    package init(_ report: CycleReport, say: @escaping @Sendable (ProgressLine) -> Void) {
        dryRun = report.dryRun
        state = Mutex(report)
        tell = say
    }

    /// A recorder for what goes on beside the cycle, with the same listener.
    func apart() -> CycleRecorder {
        let (report, tell) = (report, tell)
        return CycleRecorder(CycleReport(repository: report.repository, url: report.url, branch: report.branch)) {
            tell(ProgressLine($0.text, isEvent: $0.isEvent, isOfBuild: true))
        }
    }

    /// What is known so far.
    package var report: CycleReport { state.withLock { $0 } }

    /// A line for people that is not part of the report.
    func say(_ text: String) { tell(ProgressLine(text)) }

    /// The same of something that happens.
    func announce(_ text: String) { tell(ProgressLine(text, isEvent: true)) }

    /// Runs one step: its error gets the phase and the subject, its time goes into the report.
    func phase<Value>(
        _ phase: Phase, subject: String? = nil, _ body: () async throws -> Value
    ) async throws(ReconcileError) -> Value {
        Failpoint.pass("before:\(phase.rawValue)")
        let start = ContinuousClock.now
        defer {
            let step = CycleReport.Step(
                phase: phase, subject: subject, seconds: (ContinuousClock.now - start).seconds)
            state.withLock { $0.steps.append(step) }
        }
        do {
            let value = try await Span.part(
                phase.spanName, subject.map { ["slipway.subject": .text($0)] } ?? [:], body)
            Failpoint.pass("after:\(phase.rawValue)")
            return value
        } catch let error as ReconcileError {
            throw error
        } catch {
            throw ReconcileError(
                phase: phase, subject: subject, disposition: Disposition(of: error, in: phase),
                underlying: error as? any Diagnostic ?? AgentError("\(error)"))
        }
    }

    // MARK: Decisions and failures

    func decide(_ subject: String, _ reason: String, remedy: String? = nil) {
        decide([CycleReport.Decision(subject: subject, reason: reason, remedy: remedy)])
    }

    func decide(_ decisions: [CycleReport.Decision]) {
        for decision in decisions {
            let isNew = state.withLock { report in
                guard !report.decisions.contains(decision) else { return false }
                report.decisions.append(decision)
                return true
            }
            guard isNew else { continue }
            say("\(decision.subject): \(decision.reason)" + (decision.remedy.map { "\n  hint: \($0)" } ?? ""))
        }
    }

    /// Keeps a decision that whoever listens was told of already.
    func note(_ decision: CycleReport.Decision) {
        state.withLock { report in
            if !report.decisions.contains(decision) { report.decisions.append(decision) }
        }
    }

    func fail(_ error: ReconcileError) { state.withLock { $0.fail(error) } }

    var hasFailures: Bool { state.withLock { !$0.failures.isEmpty } }

    // MARK: What was done

    func started(at revision: Commit) { state.withLock { $0.revision = revision.id.description } }

    /// An image of the repository's manifests, and when it was created, in seconds since 1970.
    func runs(_ image: RepositoryLocation, created: Int64) {
        imageAges.withLock { $0.add(image, created: created) }
    }

    /// The ages of the images that were looked at.
    var ages: FollowedImageAges { imageAges.withLock { $0 } }

    func isPending(_ build: CycleReport.Pending) { state.withLock { $0.pending.append(build) } }

    func made(_ image: CycleReport.Image) { state.withLock { $0.images.append(image) } }

    /// The commits as they would be, whether they are pushed or not. A race that was lost proposes anew.
    func propose(_ proposals: [ProposedCommit]) {
        state.withLock { report in
            report.updates = proposals.flatMap(\.changes.updates)
            report.message = proposals.last?.message
            report.diff = proposals.map(\.diff).joined()
        }
    }

    /// - Parameter branch: where the commit went.
    func pushed(_ proposal: ProposedCommit, to branch: String) {
        let watched = state.withLock { report in
            report.commit = proposal.id.description
            report.commits.append(
                CycleReport.Published(commit: proposal.id.description, message: proposal.message, branch: branch))
            return report.branch
        }
        for update in proposal.changes.updates {
            announce(
                "Updated \(update.file):\(update.line) \(update.workload) \(update.container): \(update.old) -> \(update.new)"
            )
        }
        announce(
            "Commit pushed: \(proposal.id.short) \(proposal.subject)" + (branch == watched ? "" : " (branch \(branch))")
        )
    }

    /// - Parameter why: for people, behind the outcome.
    func applied(_ object: String, _ outcome: String, why: String? = nil) {
        state.withLock { $0.applied = ($0.applied ?? []) + [CycleReport.Applied(object: object, outcome: outcome)] }
        announce("\(object) \(outcome)" + (why.map { ": \($0)" } ?? ""))
    }

    func requested(_ pullRequest: CycleReport.PullRequest) { state.withLock { $0.pullRequests.append(pullRequest) } }
}
