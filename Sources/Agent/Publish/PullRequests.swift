import Forge
import Git

/// Pull requests for the agent's branches.
struct PullRequests: Sendable {
    let forge: any Forge
    let settings: AgentConfiguration.PullRequestSettings
    /// The watched branch, which they are to be merged into.
    let base: String
    let index: PullRequestIndex
    let attempts: PullRequestAttempts
    let comments: PullRequestComments
    let sources: ImageSources

    /// - Parameters:
    ///   - sources: what images were made from.
    ///   - prefix: with which the agent's branches begin.
    init(
        _ forge: any Forge, _ settings: AgentConfiguration.PullRequestSettings, base: String,
        sources: ImageSources, prefix: String, clock: any AgentClock
    ) {
        self.forge = forge
        self.settings = settings
        self.base = base
        index = PullRequestIndex(forge, base: base, prefix: prefix, clock: clock)
        attempts = PullRequestAttempts(clock)
        comments = PullRequestComments(clock)
        self.sources = sources
    }

    /// What the host takes of descriptions.
    var limits: PullRequestLimits { forge.limits }

    private var autoMerge: AutoMergeRequest? {
        settings.options.autoMerge.map { AutoMergeRequest(forge: forge, method: $0, attempts: attempts) }
    }

    // MARK: Before the branch is pushed

    /// What there is for a branch already.
    enum Standing: Sendable {
        /// One is open.
        ///
        /// - `off`: a person turned its auto-merge off.
        case open(PullRequest, off: Bool)
        /// None is: one may be opened.
        ///
        /// - `refused`: a closed one that had a part of the change.
        case none(refused: PullRequest?)
        /// A person closed one with this change: it stays closed until there is something newer.
        case refused(PullRequest)
    }

    /// Asked before anything is pushed: a branch that a person removed with its pull request does not come back.
    ///
    /// - Parameters:
    ///   - head: the branch's; `nil` where there is none.
    ///   - isUpToDate: whether that holds the change already.
    func standing(
        of proposal: PullRequestProposal, at head: ObjectID?, isUpToDate: Bool
    ) async throws(ForgeError) -> Standing {
        let pulls = try await index.pulls(for: proposal.question(at: head))
        if let open = pulls.first(where: { $0.state == .open }) {
            return .open(open, off: try await isTurnedOff(open, at: head, isUpToDate: isUpToDate))
        }
        // A command is a person's word, and the newer one.
        guard !proposal.isCommand else { return .none(refused: nil) }
        let wanted = Set(proposal.marker.changes)
        var left = wanted
        var refusing: PullRequest?
        for pull in pulls where pull.state == .closed {
            let refused: Set<String>
            if let marker = PullRequestMarker(in: pull.body) {
                refused = marker.isWithdrawn ? [] : wanted.intersection(marker.changes)
            } else {
                // An older version's, or a person took the marker away.
                let isSame =
                    isUpToDate && head.map { pull.isAt($0.description) } == true || pull.title.hasSuffix(proposal.title)
                refused = isSame ? wanted : []
            }
            guard !refused.isEmpty else { continue }
            left.subtract(refused)
            refusing = refusing ?? pull
        }
        if let refusing, left.isEmpty { return .refused(refusing) }
        return .none(refused: refusing)
    }

    /// Whether a person turned auto-merge off: a push makes hosts forget it, so it is looked at before.
    private func isTurnedOff(
        _ pull: PullRequest, at head: ObjectID?, isUpToDate: Bool
    ) async throws(ForgeError) -> Bool {
        guard autoMerge != nil, let noted = PullRequestMarker(in: pull.body)?.autoMerge else { return false }
        switch noted {
        case .off: return pull.isAutoMerge != true
        case .on(let marked):
            guard marked == head?.short else { return false }
            if let isOn = pull.isAutoMerge { return !isOn }
            // It is asked for only where the next push would make it unknown.
            return isUpToDate ? false : !(try await forge.isAutoMergeOn(pull))
        }
    }

    func tell(_ branch: String, isRefusedBy pull: PullRequest, in cycle: CycleRecorder) {
        cycle.decide([
            CycleReport.Decision(
                subject: "branch \(branch)",
                reason: "no pull request opened: somebody closed \(pull.url) with the same change",
                remedy: "reopen it, or ask for the image by 'slipway release'; something newer opens a new one",
                isHold: true)
        ])
    }

    // MARK: When the branch holds the change

    /// Sees to it that the branch has one open pull request that says what is in it. Run again, it finds its own work.
    ///
    /// - Parameter isPushed: whether the branch was moved just now.
    func request(
        _ proposal: PullRequestProposal, _ standing: Standing, at head: ObjectID, isPushed: Bool,
        in cycle: CycleRecorder
    ) async throws(ReconcileError) {
        var pull: PullRequest
        switch standing {
        case .refused: return
        case .open(let open, let off):
            pull = try await cycle.phase(.publish, subject: proposal.branch) {
                try await renew(open, proposal, isPushed: isPushed, keepsAutoMergeOff: off, in: cycle)
            }
        case .none(let refused):
            pull = try await cycle.phase(.publish, subject: proposal.branch) {
                try await open(proposal, at: head, refused: refused, in: cycle)
            }
        }
        cycle.requested(.init(number: pull.number, url: pull.url, branch: proposal.branch, title: proposal.title))
        pull.head = head.description
        // What a push does to auto-merge, the host says later: the next cycle sees.
        var isRenewed = false
        if case .open = standing { isRenewed = isPushed }
        if let autoMerge, !isRenewed { pull = await autoMerge.reach(pull, head: head.short, in: cycle) }
        if settings.hasComment, pull.state == .open {
            await comments.keep(proposal, on: pull, at: forge, sources, in: cycle)
        }
        await index.note(pull, for: proposal.question(at: head))
    }

    /// New words where the branch has a new change. What people write there stays as long as it is the same.
    private func renew(
        _ pull: PullRequest, _ proposal: PullRequestProposal, isPushed: Bool, keepsAutoMergeOff: Bool,
        in cycle: CycleRecorder
    ) async throws(ForgeError) -> PullRequest {
        let noted = PullRequestMarker(in: pull.body)
        if let noted, noted.changes == proposal.marker.changes, !noted.isWithdrawn, !isPushed { return pull }
        var marker = proposal.marker
        if keepsAutoMergeOff { marker.autoMerge = .off }
        var pull = pull
        if noted == nil, !isPushed, pull.title.hasSuffix(proposal.title) {
            // The words are a person's, or an older version's: they only get what names the change.
            pull = try await forge.whole(pull)
            pull.body = marker.appended(to: pull.body, limit: limits.description)
            try await forge.update(pull, title: nil, body: pull.body)
            return pull
        }
        let body = marker.appended(to: proposal.text, limit: limits.description)
        try await forge.update(pull, title: proposal.title, body: body)
        pull.body = body
        cycle.announce("Pull request renewed: \(pull.url)")
        return pull
    }

    private func open(
        _ proposal: PullRequestProposal, at head: ObjectID, refused: PullRequest?, in cycle: CycleRecorder
    ) async throws(ForgeError) -> PullRequest {
        let question = proposal.question(at: head)
        try await attempts.check(question)
        var marker = proposal.marker
        if refused != nil { marker.autoMerge = .off }
        let draft = PullRequestDraft(
            head: proposal.branch, base: base, title: proposal.title,
            body: marker.appended(to: proposal.text, limit: limits.description), options: settings.options)
        do throws(ForgeError) {
            let (made, warnings) = try await forge.open(draft)
            await attempts.opened(question)
            cycle.announce("Pull request opened: \(made.url)")
            for warning in warnings { cycle.decide("pull request \(made.url)", warning) }
            if let refused, autoMerge != nil {
                cycle.say(
                    "Auto-merge of \(made.url) is left to people: a part of it was refused by closing \(refused.url)")
            }
            return made
        } catch {
            // Lists may be behind: it may be there.
            if error.code == .refused,
                let open = try? await forge.find(head: proposal.branch, base: base).first(where: { $0.state == .open })
            {
                return try await renew(open, proposal, isPushed: false, keepsAutoMergeOff: refused != nil, in: cycle)
            }
            // A refusal is of this pull request alone; what else fails concerns the host, and is told once for all.
            let told =
                [.refused, .policy].contains(error.code) ? error.about("pull request for \(proposal.branch)") : error
            await attempts.refused(question, with: told)
            throw told
        }
    }

    // MARK: Leaving

    /// Closes the pull request of a branch that is about to be removed. It is marked: nobody refused it.
    func withdraw(_ branch: String, in cycle: CycleRecorder) async throws {
        let question = PullRequestIndex.Question(branch: branch, head: nil, changes: [])
        guard let shown = try await index.pulls(for: question).first(where: { $0.state == .open }) else { return }
        var pull = try await forge.whole(shown)
        var marker = PullRequestMarker(in: pull.body) ?? PullRequestMarker()
        marker.isWithdrawn = true
        pull.body = marker.appended(to: pull.body, limit: limits.description)
        try await forge.close(
            pull, body: pull.body, comment: "This change is on `\(base)` already, or another one took its place.")
        pull.state = .closed
        await index.note(pull, for: question)
        cycle.announce("Pull request closed: \(pull.url)")
    }
}
