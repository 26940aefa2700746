import Forge

/// Auto-merge of a pull request: a state to reach, which each cycle tries until it is on, merged, or a person's.
struct AutoMergeRequest: Sendable {
    let forge: any Forge
    let method: PullRequestOptions.MergeMethod
    let attempts: PullRequestAttempts

    /// - Parameter head: the branch's, as the marker writes it.
    /// - Returns: the pull request as it is then. What does not succeed is told, not thrown: the pull request is there.
    func reach(_ pull: PullRequest, head: String, in cycle: CycleRecorder) async -> PullRequest {
        let noted = PullRequestMarker(in: pull.body)
        switch noted?.autoMerge {
        case .off where pull.isAutoMerge != true:
            tell(
                pull, "auto-merge is left to people: somebody turned it off, or refused a part of the change", in: cycle
            )
            return pull
        case .on(let marked) where marked == head:
            if pull.isAutoMerge == false { tell(pull, "auto-merge stays off: somebody turned it off", in: cycle) }
            return pull
        default: break
        }
        if pull.isAutoMerge == true { return await note(pull, head: head, in: cycle) }
        let outcome: AutoMerge
        if let last = await attempts.outcome(of: pull) {
            outcome = last
        } else {
            do throws(ForgeError) {
                outcome = try await forge.ensureAutoMerge(pull, method)
            } catch {
                cycle.decide(subject(pull), "auto-merge is not on yet: \(error.words)", remedy: error.hint)
                return pull
            }
            await attempts.note(outcome, of: pull)
        }
        switch outcome {
        case .enabled:
            cycle.announce("Auto-merge turned on: \(pull.url)")
            return await note(pull, head: head, in: cycle)
        case .merged:
            cycle.announce("Pull request merged: \(pull.url)")
            var merged = pull
            merged.state = .merged
            return merged
        case .waiting(let reason):
            cycle.decide(subject(pull), "auto-merge waits: \(reason)")
        case .refused(let reason):
            cycle.decide(
                subject(pull), "auto-merge is refused: \(reason)",
                remedy: "change that, merge it yourself, or leave 'pullRequest.autoMerge' out")
        }
        return pull
    }

    /// Notes in the description that it is on: who turns it off later is a person.
    private func note(_ pull: PullRequest, head: String, in cycle: CycleRecorder) async -> PullRequest {
        guard var marker = PullRequestMarker(in: pull.body), marker.autoMerge != .off else { return pull }
        marker.autoMerge = .on(head: head)
        var pull = pull
        do throws(ForgeError) {
            let body = marker.appended(to: try await forge.whole(pull).body, limit: forge.limits.description)
            try await forge.update(pull, title: nil, body: body)
            pull.body = body
            if pull.isAutoMerge != nil { pull.isAutoMerge = true }
        } catch {
            cycle.say("\(pull.url) does not note yet that auto-merge is on: \(error.words)")
        }
        return pull
    }

    private func subject(_ pull: PullRequest) -> String { "pull request \(pull.url)" }

    private func tell(_ pull: PullRequest, _ reason: String, in cycle: CycleRecorder) {
        cycle.decide([
            CycleReport.Decision(
                subject: subject(pull), reason: reason, remedy: "merge it, or turn auto-merge on there", isHold: true)
        ])
    }
}
