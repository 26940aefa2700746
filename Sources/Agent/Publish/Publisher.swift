import Diagnostics
import Git
import Template

/// Takes changes to the repository's host: commit, push; when the race is lost, fetch, compute the change anew, and once
/// more. The one way into git, for cycles and for commands alike.
package struct Publisher: Sendable {
    let repository: AgentConfiguration.RepositoryConfiguration
    let settings: AgentConfiguration.GitConfiguration
    let remote: any GitRemote
    package let heads: HeadReader
    let revisions: RevisionCache
    let commits: CommitBuilder
    let branches: ProposalBranches
    let clock: any AgentClock

    /// - Parameter tags: what says from which commits images were made; `nil` where nobody looks.
    package init(
        repository: AgentConfiguration.RepositoryConfiguration, git: GitServices, tags: (any TagSource)? = nil
    ) {
        self.repository = repository
        settings = git.settings
        remote = git.remote
        revisions = git.revisions
        clock = git.clock
        heads = HeadReader(remote: git.remote, branch: repository.branch, verification: git.settings.verification)
        let commits = CommitBuilder(
            repository: repository, settings: git.settings, remote: git.remote, clock: git.clock)
        self.commits = commits
        branches = ProposalBranches(
            repository: repository, settings: git.settings, remote: git.remote, commits: commits,
            authorship: CommitAuthorship(remote: git.remote, settings: git.settings),
            pullRequests: git.forge.flatMap { forge in
                git.settings.pullRequest.map {
                    PullRequests(
                        forge, $0, base: repository.branch, sources: ImageSources(tags: tags, remote: git.remote),
                        prefix: git.settings.pushBranch.map { BranchName.prefix(of: $0.literalPrefix) } ?? "",
                        clock: git.clock)
                }
            })
    }

    /// How often a lost race is run again before it is left to the next cycle.
    private static let attempts = 6

    /// Computes the changes on a head and publishes them, on whichever head the branch has by then.
    ///
    /// - Parameter requests: each becomes a commit of its own.
    package func publish(
        _ requests: [ChangeRequest], from start: TrustedHead, in cycle: CycleRecorder
    ) async throws(ReconcileError) {
        var head = start
        var failures: [ReconcileError] = []
        for attempt in 1...Self.attempts {
            guard let lost = try await attemptOnce(requests, on: head, in: cycle) else { return }
            failures = lost.failures
            cycle.say("Lost the race for \(lost.branch) (\(lost.reason)): fetching and computing the change anew")
            try await pause(beforeAttempt: attempt)
            head = try await cycle.phase(.sync) { try await heads.fetch().head }
        }
        for failure in failures { cycle.fail(failure) }
        throw ReconcileError(
            phase: .publish,
            underlying: AgentError(
                "others pushed to \(repository.branch) \(Self.attempts) times in a row",
                hint: "nothing is lost: the next cycle tries again"))
    }

    private func attemptOnce(
        _ requests: [ChangeRequest], on head: TrustedHead, in cycle: CycleRecorder
    ) async throws(ReconcileError) -> LostRace? {
        if let template = settings.pushBranch {
            let files = try await self.files(of: head.commit, in: cycle)
            return try await branches.publish(requests, on: head, files, template, in: cycle)
        }
        var lost = try await publishToNamedBranches(requests, on: head, in: cycle)
        let direct = requests.filter { $0.writeBack?.branch == nil }
        lost = try await publishToWatchedBranch(direct, on: head, in: cycle) ?? lost
        return lost
    }

    /// The changes that objects of the repository want on branches of their own; those that name one branch share its commit.
    private func publishToNamedBranches(
        _ requests: [ChangeRequest], on head: TrustedHead, in cycle: CycleRecorder
    ) async throws(ReconcileError) -> LostRace? {
        var lost: LostRace?
        for (branch, requests) in Dictionary(grouping: requests, by: { $0.writeBack?.branch })
            .sorted(by: { ($0.key ?? "") < ($1.key ?? "") })
        {
            guard let branch, let writeBack = requests.first?.writeBack else { continue }
            let files = try await self.files(of: head.commit, in: cycle)
            do throws(ReconcileError) {
                let template = try await cycle.phase(.commit, subject: writeBack.subject) {
                    try Template(branch, name: "\(writeBack.location)")
                }
                lost = try await branches.ofObjects.publish(requests, on: head, files, template, in: cycle) ?? lost
            } catch {
                cycle.fail(error)
            }
        }
        return lost
    }

    /// - Returns: `nil` when nothing is left to do.
    private func publishToWatchedBranch(
        _ requests: [ChangeRequest], on head: TrustedHead, in cycle: CycleRecorder
    ) async throws(ReconcileError) -> LostRace? {
        var proposals: [ProposedCommit] = []
        var base = CommitBase(head)
        for request in requests {
            let (parent, files) = (base, try await self.files(of: base.commit, in: cycle))
            let changes = try await cycle.phase(.rewrite) { try await request.changes(on: files) }
            cycle.decide(changes.decisions)
            guard !changes.isEmpty else { continue }
            let proposal: ProposedCommit
            do throws(ReconcileError) {
                proposal = try await cycle.phase(.commit, subject: request.writeBack?.subject) {
                    try await commits.completed(by: request.writeBack).commit(
                        changes, for: request.command, on: parent, isPlan: cycle.dryRun)
                }
            } catch  where request.writeBack != nil {
                // What one object says wrong concerns its own changes.
                cycle.fail(error)
                continue
            }
            proposals.append(proposal)
            // The next commit's edits are computed on top of this one.
            base = CommitBase(
                after: proposal, as: try await cycle.phase(.commit) { try await remote.commit(proposal.id) })
        }
        guard let last = proposals.last else { return nil }
        cycle.propose(proposals)
        if cycle.dryRun { return nil }
        let branch = repository.branch
        let outcome = try await cycle.phase(.publish) {
            try await remote.push(last, to: branch, expecting: head.commit.id, force: false)
        }
        if case .rejected(let reason, _) = outcome { return LostRace(branch: branch, reason: reason) }
        for proposal in proposals {
            cycle.pushed(proposal, to: branch)
            await branches.note(proposal, in: cycle)
        }
        await branches.push(last, beside: branch, by: requests.compactMap(\.writeBack), in: cycle)
        return nil
    }

    private func files(of revision: Commit, in cycle: CycleRecorder) async throws(ReconcileError) -> RevisionFiles {
        RevisionFiles(
            tree: try await cycle.phase(.rewrite) { try await revisions.tree(of: revision) }, remote: remote)
    }

    /// Waits before a lost race is run again: longer each time, and by chance, so that two agents do not meet again.
    private func pause(beforeAttempt attempt: Int) async throws(ReconcileError) {
        let milliseconds = Int.random(in: 20...(50 << min(attempt, 6)))
        do {
            try await clock.sleep(for: .milliseconds(milliseconds))
        } catch {
            throw ReconcileError(phase: .publish, underlying: AgentError("interrupted while waiting to push again"))
        }
    }
}

/// Somebody else moved a branch meanwhile.
struct LostRace {
    let branch: String
    let reason: String
    /// What failed for other branches.
    var failures: [ReconcileError] = []
}
