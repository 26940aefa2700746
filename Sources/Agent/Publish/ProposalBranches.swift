import Diagnostics
import Git
import OCI
import Template

/// Changes on branches of the agent's own, beside the one that is watched (`git.push.branch`), with their pull requests.
struct ProposalBranches: Sendable {
    let repository: AgentConfiguration.RepositoryConfiguration
    let settings: AgentConfiguration.GitConfiguration
    let remote: any GitRemote
    let commits: CommitBuilder
    let authorship: CommitAuthorship
    let pullRequests: PullRequests?
    /// Whether branches stay when their change is merged or superseded.
    var keepsBranches = false

    /// The same for branches that objects of the repository name: they stay, and nobody asks for pull requests.
    var ofObjects: ProposalBranches {
        var branches = ProposalBranches(
            repository: repository, settings: settings, remote: remote, commits: commits, authorship: authorship,
            pullRequests: nil)
        branches.keepsBranches = true
        return branches
    }

    /// A change with the branch that it goes to.
    private struct Plan {
        let branch: String
        let changes: ChangeSet
        let command: PersonalCommand?
        /// What objects of the repository say of it; the first one's words count.
        var writeBacks: [WriteBack] = []
    }

    /// Each branch is a unit of its own: what fails for one is told, and stops no other.
    ///
    /// - Returns: the last race that was lost; `nil` when nothing is left to do.
    /// - Throws: what a person's command failed for.
    func publish(
        _ requests: [ChangeRequest], on head: TrustedHead, _ files: RevisionFiles, _ template: Template,
        in cycle: CycleRecorder
    ) async throws(ReconcileError) -> LostRace? {
        await pullRequests?.index.begin()
        var (plans, failures) = await plan(requests, on: head, files, template, in: cycle)
        var proposals: [ProposedCommit] = []
        var lost: LostRace?
        for plan in plans {
            do throws(ReconcileError) {
                lost = try await publish(plan, on: head, after: &proposals, in: cycle) ?? lost
            } catch {
                failures.append(error)
            }
        }
        let isCommand = requests.contains { $0.command != nil }
        if isCommand, let failure = failures.first { throw failure }
        if var lost {
            // What failed beside it may go well when the race is run again.
            lost.failures = failures
            return lost
        }
        for failure in failures { cycle.fail(failure) }
        // A command says nothing of the branches that policies want.
        if !isCommand, !keepsBranches {
            await removeOutdated(template, wanted: Set(plans.map(\.branch)), on: head, in: cycle)
        }
        return nil
    }

    private func publish(
        _ plan: Plan, on head: TrustedHead, after proposals: inout [ProposedCommit], in cycle: CycleRecorder
    ) async throws(ReconcileError) -> LostRace? {
        let branch = plan.branch
        let state = try await cycle.phase(.commit, subject: branch) {
            try await look(at: branch, for: plan.changes, on: head)
        }
        let old: ObjectID?
        let isUpToDate: Bool
        switch state {
        case .others(let commit):
            cycle.decide(
                "branch \(branch)",
                "not updated: it has a commit of somebody else, \(commit.id.short) '\(commit.subject)'",
                remedy: "merge the branch, or remove it")
            return nil
        case .upToDate(let tip): (old, isUpToDate) = (tip, true)
        case .replaceable(let tip): (old, isUpToDate) = (tip, false)
        }
        let request = try await request(plan, at: old, isUpToDate: isUpToDate, on: head, in: cycle)
        if let request, case .refused(let pull) = request.standing {
            pullRequests?.tell(branch, isRefusedBy: pull, in: cycle)
            return nil
        }
        var tip = old
        if isUpToDate {
            cycle.decide(
                "branch \(branch)", "nothing to update: it has this change already (\(tip?.short ?? ""))")
        } else {
            let proposal = try await cycle.phase(.commit, subject: branch) {
                try await commits.completed(by: plan.writeBacks.first).commit(
                    plan.changes, for: plan.command, on: CommitBase(head), isPlan: cycle.dryRun)
            }
            proposals.append(proposal)
            cycle.propose(proposals)
            if cycle.dryRun { return nil }
            let outcome = try await cycle.phase(.publish, subject: branch) {
                try await remote.push(proposal, to: branch, expecting: old, force: old != nil)
            }
            if case .rejected(let reason, _) = outcome {
                proposals.removeLast()
                return LostRace(branch: branch, reason: reason)
            }
            cycle.pushed(proposal, to: branch)
            await note(proposal, in: cycle)
            await push(proposal, beside: branch, by: plan.writeBacks, in: cycle)
            tip = proposal.id
        }
        guard !cycle.dryRun, let tip, let request, let pullRequests else { return nil }
        try await pullRequests.request(
            request.proposal, request.standing, at: tip, isPushed: !isUpToDate, in: cycle)
        return nil
    }

    /// The pull request as it is to be, and what there is of it: asked before anything is pushed.
    private func request(
        _ plan: Plan, at tip: ObjectID?, isUpToDate: Bool, on head: TrustedHead, in cycle: CycleRecorder
    ) async throws(ReconcileError) -> (proposal: PullRequestProposal, standing: PullRequests.Standing)? {
        guard let pullRequests else { return nil }
        let proposal = try await cycle.phase(.commit, subject: plan.branch) {
            let commits = try commits.completed(by: plan.writeBacks.first)
            return try PullRequestProposal(
                plan.changes, branch: plan.branch,
                message: commits.message(of: plan.changes, for: plan.command, on: head.commit),
                isCommand: plan.command != nil, values: commits.values(of: plan.changes, on: head.commit),
                settings: pullRequests.settings, limits: pullRequests.limits)
        }
        let standing = try await cycle.phase(.publish, subject: plan.branch) {
            try await pullRequests.standing(of: proposal, at: tip, isUpToDate: isUpToDate)
        }
        return (proposal, standing)
    }

    /// The changes with the branches that they go to. Those for which the template gives one name go there together.
    private func plan(
        _ requests: [ChangeRequest], on head: TrustedHead, _ files: RevisionFiles, _ template: Template,
        in cycle: CycleRecorder
    ) async -> (plans: [Plan], failures: [ReconcileError]) {
        var byBranch: [String: ChangeRequest] = [:]
        var plans: [String: Plan] = [:]
        var failures: [ReconcileError] = []
        for request in requests {
            do throws(ReconcileError) {
                var changes = try await cycle.phase(.rewrite) { try await request.changes(on: files) }
                cycle.decide(changes.decisions)
                guard !changes.isEmpty else { continue }
                let branch = try await cycle.phase(.rewrite) { [changes] in
                    try name(of: changes, for: request, on: head.commit, template)
                }
                var all = request
                if let before = byBranch[branch] {
                    let both = before.followed(by: request)
                    changes = try await cycle.phase(.rewrite) { try await both.changes(on: files) }
                    all = both
                }
                byBranch[branch] = all
                let writeBacks = (plans[branch]?.writeBacks ?? []) + [request.writeBack].compactMap(\.self)
                plans[branch] = Plan(
                    branch: branch, changes: changes, command: request.command, writeBacks: writeBacks)
            } catch {
                failures.append(error)
            }
        }
        return (plans.values.sorted { $0.branch < $1.branch }, failures)
    }

    private func name(
        of changes: ChangeSet, for request: ChangeRequest, on revision: Commit, _ template: Template
    ) throws -> String {
        var text: String
        if let command = request.command {
            // Its own, so that what policies want next does not take its place.
            let lines = changes.updates.map(CommitTrailer.line).joined(separator: "\n")
            let digest = Digest.sha256(of: Array(lines.utf8)).encoded.prefix(Self.digestLength)
            text = "\(Self.commandPrefix(template.literalPrefix))\(command.verb)-\(digest)"
        } else {
            let commits = try commits.completed(by: request.writeBack)
            text = try template.render(commits.values(of: changes, on: revision))
        }
        guard let name = BranchName.made(from: text) else {
            throw AgentError(
                "'\(text.prefix(100))' cannot be the name of a branch", place: "git.push.branch",
                hint: "see git-check-ref-format(1)")
        }
        guard name != repository.branch else {
            throw AgentError(
                "the commits would go to '\(name)', which is the branch that is watched", place: "git.push.branch",
                hint: "leave 'push.branch' out for that")
        }
        return name
    }

    private static let digestLength = 7

    private static func commandPrefix(_ prefix: String) -> String {
        prefix.isEmpty || prefix.hasSuffix("/") ? prefix : prefix + "-"
    }

    /// Whether a name is one that `name(of:)` gives to a command's branch.
    private static func isOfCommand(_ name: String, prefix: String) -> Bool {
        let prefix = commandPrefix(prefix)
        let parts = name.dropFirst(prefix.count).split(separator: "-", omittingEmptySubsequences: false)
        return name.hasPrefix(prefix) && parts.count == 2 && parts[1].count == digestLength
            && parts[1].utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    private enum BranchState {
        /// It holds the wanted change, and nothing else.
        case upToDate(ObjectID)
        /// It has a commit that is not the agent's: it is left alone.
        case others(Commit)
        /// It is not there (`nil`), or holds nothing but the agent's own work, which is older.
        case replaceable(ObjectID?)
    }

    private func look(at branch: String, for changes: ChangeSet, on head: TrustedHead) async throws -> BranchState {
        guard let tip = try await remote.fetchIfPresent(branch: branch) else { return .replaceable(nil) }
        let ahead = try await remote.log(from: tip.id, limit: 1000, notReachableFrom: head.commit.id)
        for commit in ahead where try await !authorship.isOwn(commit) { return .others(commit) }
        guard let base = ahead.last?.parents.first else { return .replaceable(tip.id) }
        // The same files with the same contents, and none besides: what else happened on the watched branch does not matter.
        let changed = try await remote.changedPaths(from: base, to: tip.id)
        guard Set(changed) == Set(changes.files.keys) else { return .replaceable(tip.id) }
        for (file, bytes) in changes.files {
            guard let entry = try await remote.entry(at: file, in: tip.id),
                try await remote.blob(entry.id, limit: 64 << 20) == bytes
            else { return .replaceable(tip.id) }
        }
        return .upToDate(tip.id)
    }

    /// Removes the agent's branches whose change is done or superseded. Those with a commit of anybody else stay, and those
    /// with what a person asked for that is not merged.
    private func removeOutdated(
        _ template: Template, wanted: Set<String>, on head: TrustedHead, in cycle: CycleRecorder
    ) async {
        // Where something failed, a branch may only look superseded.
        guard !cycle.dryRun, !cycle.hasFailures else { return }
        let prefix = template.literalPrefix
        guard !prefix.isEmpty else { return }
        for (name, _) in await remote.advertisedBranches().sorted(by: { $0.key < $1.key }) {
            let isOurs =
                template.isLiteral
                ? name == prefix || Self.isOfCommand(name, prefix: prefix) : name.hasPrefix(prefix)
            guard isOurs, !wanted.contains(name), name != repository.branch else { continue }
            do {
                guard let tip = try await remote.fetchIfPresent(branch: name) else { continue }
                let ahead = try await remote.log(from: tip.id, limit: 1000, notReachableFrom: head.commit.id)
                // A branch that is merged may be somebody's who just made it: the agent's own work shows at its head.
                var isOwn = CommitTrailer.isOwn(tip.message)
                for commit in ahead where isOwn {
                    isOwn = try await authorship.isOwn(commit) && !CommitTrailer.isCommand(commit.message)
                }
                guard isOwn else { continue }
                try await pullRequests?.withdraw(name, in: cycle)
                if try await remote.deleteBranch(name, expecting: tip.id) == .pushed {
                    cycle.decide("branch \(name)", "removed: its change is merged, or superseded")
                }
            } catch {
                cycle.decide("branch \(name)", "not removed: \(error)")
            }
        }
    }

    /// The second pushes that objects of the repository ask for (`git.push.refspec`), once their commit is on its branch.
    func push(
        _ proposal: ProposedCommit, beside branch: String, by writeBacks: [WriteBack], in cycle: CycleRecorder
    ) async {
        var destinations: Set<String> = []
        for writeBack in writeBacks {
            for refspec in writeBack.refspecs
            where refspec.source == branch && refspec.destination != branch
                && destinations.insert(refspec.destination).inserted
            {
                let other = refspec.destination
                do throws(ReconcileError) {
                    let outcome = try await cycle.phase(.publish, subject: other) {
                        let tip = try await remote.fetchIfPresent(branch: other)?.id
                        return try await remote.push(
                            proposal, to: other, expecting: tip, force: branch != repository.branch)
                    }
                    if case .rejected(let reason, _) = outcome {
                        cycle.decide(
                            "branch \(other)", "not pushed to by the refspec of the \(writeBack.subject): \(reason)",
                            remedy: "merge or remove the branch; the commit is on \(branch)")
                    } else {
                        cycle.announce("Pushed \(proposal.id.short) to \(other) as well (\(writeBack.subject))")
                    }
                } catch {
                    cycle.fail(error)
                }
            }
        }
    }

    /// Attaches the note that Flux v1 would have written. It is for people and their tools: without it nothing is lost.
    func note(_ proposal: ProposedCommit, in cycle: CycleRecorder) async {
        guard let reference = settings.commit.notes else { return }
        do {
            let text = try FluxNote.json(proposal.changes.updates, subject: proposal.subject)
            try await remote.pushNote(text, on: proposal, reference: reference)
        } catch {
            let words = (error as? any Diagnostic).map { $0.summary + ($0.cause.map { ": \($0)" } ?? "") } ?? "\(error)"
            cycle.decide("commit \(proposal.id.short)", "no note was attached: \(words)")
        }
    }
}
