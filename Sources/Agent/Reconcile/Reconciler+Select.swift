import Diagnostics
import ManifestUpdater
import OCI
import RegistryPoller

extension Reconciler {
    /// A workload's container, and the image that the policy chose for it.
    struct Choice: Sendable {
        let target: ImageTarget
        let tag: String
        let reason: String
    }

    /// Asks each automated container's policy. A container whose policy or image is wrong is its own failure.
    func select(
        for targets: [ImageTarget], built: Set<RepositoryLocation>, history: BranchHistory,
        inventories: inout Inventories, in cycle: inout Cycle
    ) async -> [Choice] {
        if targets.isEmpty {
            cycle.decide(
                "updates", "no workload is annotated",
                remedy: "annotate one with fluxcd.io/automated: \"true\" to have its images updated")
        }
        var choices: [Choice] = []
        for target in targets {
            let subject = "\(target.file):\(target.location.line) \(target.workload) \(target.container)"
            if let held = target.held {
                if case .notAnImage(let reason) = held {
                    cycle.fail(
                        ReconcileError(
                            phase: .select, subject: subject, disposition: .stalled,
                            underlying: AgentError(
                                "'\(target.image)' cannot be updated", place: "\(target.location)", cause: reason,
                                hint: "write REPOSITORY:TAG, or take the annotation away")))
                } else {
                    cycle.decide(subject, "not updated: \(held)")
                }
                continue
            }
            do {
                var known = inventories
                let selection = try await cycle.phase(.select, subject: subject) {
                    try await select(for: target, built: built, history: history, inventories: &known)
                }
                inventories = known
                guard let tag = selection.tag else {
                    cycle.decide(subject, "not updated: \(selection.reason)")
                    continue
                }
                if (try? ImageLocation(target.image))?.tag == tag {
                    cycle.decide(subject, "nothing to update: \(tag) runs already and is \(selection.reason)")
                    continue
                }
                choices.append(Choice(target: target, tag: tag, reason: selection.reason))
            } catch {
                cycle.fail(error)
            }
        }
        return choices
    }

    private func select(
        for target: ImageTarget, built: Set<RepositoryLocation>, history: BranchHistory, inventories: inout Inventories
    ) async throws(AgentError) -> Selection {
        let image: ImageLocation
        do {
            image = try ImageLocation(target.image)
        } catch {
            throw AgentError(
                "'\(target.image)' is no image reference", place: target.location.description,
                cause: error.cause ?? error.summary, hint: "write REPOSITORY:TAG")
        }
        let override = repository.policies.first { $0.image == image.repository }?.policy
        let text = target.policy ?? override ?? "glob:*"
        let policy: ImagePolicy
        do {
            policy = try ImagePolicy.parse(text)
        } catch {
            throw AgentError(error.summary, place: target.location.description, cause: error.cause, hint: error.hint)
        }
        if !policy.needsCreationTime, !built.contains(image.repository) {
            return try await select(byNames: policy, image, inventories: &inventories)
        }
        var known = inventories
        let inventory = try await explained {
            try await known.inventory(of: image.repository)
        }
        inventories = known
        let candidates =
            built.contains(image.repository)
            ? CandidateOrder.ranked(inventory.tags, position: history.position)
            : inventory.tags.map { TagCandidate($0) }
        return policy.select(from: candidates, current: image.tag, explaining: false)
    }

    /// Images that are looked at in vain before it is given up until the next cycle.
    private static let attempts = 20

    /// A policy that goes by the tags' names needs no more than their list, and then a look at the one image that it
    /// chooses: a tag is written into a manifest only when its image is there.
    private func select(
        byNames policy: ImagePolicy, _ image: ImageLocation, inventories: inout Inventories
    ) async throws(AgentError) -> Selection {
        var known = inventories
        defer { inventories = known }
        let inventory = try await explained { try await known.names(of: image.repository) }
        var candidates = inventory.tags.map { TagCandidate($0) }
        var passedOver: [String] = []
        while true {
            var selection = policy.select(from: candidates, current: image.tag, explaining: false)
            if !passedOver.isEmpty { selection.reason += " (passed over: \(passedOver.joined(separator: "; ")))" }
            guard let tag = selection.tag, tag != image.tag else { return selection }
            let record = try await explained { try await known.look(at: tag, in: image.repository) }
            guard let problem = record.problem else { return selection }
            passedOver.append("\(tag): \(problem)")
            if passedOver.count == Self.attempts {
                return Selection(
                    tag: nil,
                    reason: "the images of \(Self.attempts) tags cannot be used; the best of them is \(passedOver[0])")
            }
            for index in candidates.indices where candidates[index].tag == tag { candidates[index].problem = problem }
        }
    }
}
