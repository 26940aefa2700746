import Git
import ManifestUpdater
import Template

extension Reconciler {
    /// How often a lost race is run again before it is left to the next cycle.
    private static let attempts = 6

    /// From the choices to commits at the remote: rewrite, commit, publish; when the race is lost, sync and once more.
    func deliver(
        _ choices: [Choice], at start: Commit, in cycle: inout Cycle
    ) async throws(ReconcileError) {
        var revision = start
        for attempt in 1...Self.attempts {
            let lost =
                if let branch = tools.git.pushBranch {
                    try await deliver(choices, on: revision, toBranches: branch, in: &cycle)
                } else {
                    try await deliver(choices, on: revision, in: &cycle)
                }
            guard let lost else { return }
            say("Lost the race for \(lost.branch) (\(lost.reason)): fetching and computing the change anew")
            try await tools.pause(beforeAttempt: attempt)
            revision = try await cycle.phase(.sync) { try await sync() }
        }
        throw ReconcileError(
            phase: .publish,
            underlying: AgentError(
                "others pushed to \(repository.branch) \(Self.attempts) times in a row",
                hint: "nothing is lost: the next cycle tries again"))
    }

    private struct LostRace {
        let branch: String
        let reason: String
    }

    /// The choices that go into one commit each.
    private func groups(_ choices: [Choice]) -> [[Choice]] {
        switch tools.git.commit.grouping {
        case .cycle: choices.isEmpty ? [] : [choices]
        case .image:
            Dictionary(grouping: choices) { ImageName($0.newImage).name }.sorted { $0.key < $1.key }.map(\.value)
        }
    }

    // MARK: To the branch that is watched

    /// - Returns: `nil` when nothing is left to do.
    private func deliver(
        _ choices: [Choice], on revision: Commit, in cycle: inout Cycle
    ) async throws(ReconcileError) -> LostRace? {
        var proposals: [Proposal] = []
        var head = revision
        for group in groups(choices) {
            let parent = head
            let edits = try await cycle.phase(.rewrite) { try await rewrite(group, at: parent) }
            cycle.decide(edits.decisions)
            guard !edits.isEmpty else { continue }
            let proposal = try await cycle.phase(.commit) { try await commit(edits, on: parent) }
            proposals.append(proposal)
            // The next commit's edits are computed on top of this one.
            head = try await cycle.phase(.commit) { try await tools.mirror.git.commit(proposal.id) }
        }
        guard let last = proposals.last else { return nil }
        cycle.propose(proposals)
        if dryRun { return nil }
        let branch = repository.branch
        let outcome = try await cycle.phase(.publish) {
            try await publish(last.id, to: branch, expecting: revision.id)
        }
        if case .rejected(let reason, _) = outcome { return LostRace(branch: branch, reason: reason) }
        for proposal in proposals {
            cycle.committed(proposal, to: nil)
            await note(proposal, in: &cycle)
        }
        return nil
    }

    // MARK: To other branches

    private func deliver(
        _ choices: [Choice], on revision: Commit, toBranches template: Template, in cycle: inout Cycle
    ) async throws(ReconcileError) -> LostRace? {
        let plans = try await plan(choices, on: revision, template, in: &cycle)
        var proposals: [Proposal] = []
        var lost: LostRace?
        for (branch, edits) in plans {
            let state = try await cycle.phase(.commit, subject: branch) {
                try await look(at: branch, for: edits, on: revision)
            }
            switch state {
            case .upToDate(let head):
                cycle.decide("branch \(branch)", "nothing to update: it has this change already (\(head.short))")
                let text = try await cycle.phase(.commit, subject: branch) { try message(of: edits, on: revision) }
                try await request(branch, at: head, message: text, edits, on: revision, in: &cycle)
            case .others(let commit):
                cycle.decide(
                    "branch \(branch)",
                    "not updated: it has a commit of somebody else, \(commit.id.short) '\(commit.subject)'",
                    remedy: "merge the branch, or remove it")
            case .replaceable(let old):
                let proposal = try await cycle.phase(.commit, subject: branch) { try await commit(edits, on: revision) }
                proposals.append(proposal)
                cycle.propose(proposals)
                if dryRun { continue }
                let outcome = try await cycle.phase(.publish, subject: branch) {
                    try await publish(proposal.id, to: branch, expecting: old, force: old != nil)
                }
                if case .rejected(let reason, _) = outcome {
                    proposals.removeLast()
                    lost = LostRace(branch: branch, reason: reason)
                } else {
                    cycle.committed(proposal, to: branch)
                    await note(proposal, in: &cycle)
                    try await request(
                        branch, at: proposal.id, message: proposal.message, edits, on: revision, in: &cycle)
                }
            }
        }
        if lost == nil { await removeOutdated(template, wanted: Set(plans.map(\.branch)), on: revision, in: &cycle) }
        return lost
    }

    /// The edits with the branches that they go to. Groups for which the template gives one name go there together.
    private func plan(
        _ choices: [Choice], on revision: Commit, _ template: Template, in cycle: inout Cycle
    ) async throws(ReconcileError) -> [(branch: String, edits: Edits)] {
        var byBranch: [String: [Choice]] = [:]
        var plans: [String: Edits] = [:]
        for group in groups(choices) {
            let edits = try await cycle.phase(.rewrite) { try await rewrite(group, at: revision) }
            cycle.decide(edits.decisions)
            guard !edits.isEmpty else { continue }
            let branch = try await cycle.phase(.rewrite) { try branchName(template, edits, on: revision) }
            let all = byBranch[branch, default: []] + group
            byBranch[branch] = all
            plans[branch] =
                all.count == group.count
                ? edits : try await cycle.phase(.rewrite) { try await rewrite(all, at: revision) }
        }
        return plans.sorted { $0.key < $1.key }.map { (branch: $0.key, edits: $0.value) }
    }

    private func branchName(_ template: Template, _ edits: Edits, on revision: Commit) throws -> String {
        let text = try template.render(values(of: edits, on: revision))
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

    private enum BranchState {
        /// It holds the wanted change, and nothing else.
        case upToDate(ObjectID)
        /// It has a commit that is not the agent's: it is left alone.
        case others(Commit)
        /// It is not there (`nil`), or holds nothing but the agent's own work, which is older.
        case replaceable(ObjectID?)
    }

    private func look(at branch: String, for edits: Edits, on revision: Commit) async throws -> BranchState {
        let git = tools.mirror.git
        guard let head = try await git.fetchIfPresent(branch: branch) else { return .replaceable(nil) }
        let ahead = try await git.log(from: head.id, limit: 1000, notReachableFrom: revision.id)
        if let other = ahead.first(where: { !CommitTrailer.isOwn($0.message) }) { return .others(other) }
        guard let base = ahead.last?.parents.first else { return .replaceable(head.id) }
        // The same files with the same contents, and none besides: what else happened on the watched branch does not matter.
        let changed = try await git.changedPaths(from: base, to: head.id)
        guard Set(changed) == Set(edits.files.keys) else { return .replaceable(head.id) }
        for (file, bytes) in edits.files {
            guard let entry = try await git.objectID(at: file, in: head.id),
                try await git.blob(entry.id, limit: 64 << 20) == bytes
            else { return .replaceable(head.id) }
        }
        return .upToDate(head.id)
    }

    /// Removes the agent's branches whose change is done or superseded. Those with a commit of anybody else stay.
    private func removeOutdated(
        _ template: Template, wanted: Set<String>, on revision: Commit, in cycle: inout Cycle
    ) async {
        // Where something failed, a branch may only look superseded.
        guard !dryRun, cycle.report.failures.isEmpty else { return }
        let prefix = template.literalPrefix
        guard !prefix.isEmpty else { return }
        let git = tools.mirror.git
        for (name, _) in await git.advertisedBranches.sorted(by: { $0.key < $1.key }) {
            let isOurs = template.isLiteral ? name == prefix : name.hasPrefix(prefix)
            guard isOurs, !wanted.contains(name), name != repository.branch else { continue }
            do {
                guard let head = try await git.fetchIfPresent(branch: name) else { continue }
                let ahead = try await git.log(from: head.id, limit: 1000, notReachableFrom: revision.id)
                // A branch that is merged may be somebody's who just made it: the agent's own work shows at its head.
                guard CommitTrailer.isOwn(head.message), ahead.allSatisfy({ CommitTrailer.isOwn($0.message) }) else {
                    continue
                }
                try await withdraw(name, in: &cycle)
                if try await git.deleteBranch(name, expecting: head.id) == .pushed {
                    cycle.decide("branch \(name)", "removed: its change is merged, or superseded")
                }
            } catch {
                cycle.decide("branch \(name)", "not removed: \(error)")
            }
        }
    }
}

/// Names of branches made from templates.
enum BranchName {
    /// Longer ones are cut, as Argo CD Image Updater does.
    static let limit = 255

    /// The text as a branch's name: what git does not allow in one becomes `-`; `nil` when nothing is left.
    static func made(from text: String) -> String? {
        var bytes = text.utf8.map { byte -> UInt8 in
            switch byte {
            case ...0x20, 0x7f, UInt8(ascii: "~"), UInt8(ascii: "^"), UInt8(ascii: ":"), UInt8(ascii: "?"),
                UInt8(ascii: "*"), UInt8(ascii: "["), UInt8(ascii: "\\"), UInt8(ascii: "@"), UInt8(ascii: "{"):
                UInt8(ascii: "-")
            default: byte
            }
        }
        bytes = Array(bytes.prefix(limit))
        let parts = String(decoding: bytes, as: UTF8.self).split(separator: "/").map { part -> String in
            var part = String(part)
            while part.hasPrefix(".") || part.hasPrefix("-") { part.removeFirst() }
            while part.hasSuffix(".") || part.hasSuffix("-") { part.removeLast() }
            if part.hasSuffix(".lock") { part = String(part.dropLast(5)) + "-lock" }
            return part
        }.filter { !$0.isEmpty }
        let name = parts.joined(separator: "/")
        return name.isEmpty || name.contains("..") ? nil : name
    }
}
