import Diagnostics
import ManifestUpdater
import OCI
import RegistryPoller

/// What is to be known of an image repository: which tag a policy chooses there.
struct ImageQuestion: Sendable {
    /// The repository, and the tag in use where one is known.
    var image: ImageLocation
    var policy: ImagePolicy
    /// What the image has to exist for; with none, any image counts.
    var platforms: [Platform] = []
    /// Repositories that must have the tag, too.
    var requires: [RepositoryLocation] = []
    /// Whether the tag's digest is wanted.
    var needsDigest = false
}

struct ImageAnswer: Sendable {
    var tag: String?
    var digest: Digest?
    var reason: String
}

/// What questions are answered from in one cycle.
struct ImageSources {
    /// Repositories whose images the agent itself builds.
    let built: Set<RepositoryLocation>
    let history: BranchHistory
    var inventories: Inventories
}

extension Reconciler {
    func ask(_ question: ImageQuestion, _ sources: inout ImageSources) async throws(AgentError) -> ImageAnswer {
        var inventories = sources.inventories
        defer { sources.inventories = inventories }
        let repository = question.image.repository
        var missing: [String: String] = [:]
        let byNames = Self.needsNamesOnly(
            question.policy, repository, question.platforms, built: sources.built)
        let inventory = try await explained {
            byNames
                ? try await inventories.names(of: repository)
                : try await inventories.inventory(of: repository, platforms: question.platforms)
        }
        for other in question.requires {
            let names = try await explained { try await inventories.names(of: other) }
            let tags = Set(names.tags.map(\.tag))
            for record in inventory.tags where !tags.contains(record.tag) {
                missing[record.tag] = "\(other.familiar), which it requires, has no such tag"
            }
        }
        var candidates =
            sources.built.contains(repository)
            ? CandidateOrder.ranked(inventory.tags, position: sources.history.position)
            : inventory.tags.map { TagCandidate($0) }
        for index in candidates.indices {
            if let problem = missing[candidates[index].tag] { candidates[index].problem = problem }
        }
        if byNames { return try await choose(question, among: candidates, &inventories) }
        let selection = question.policy.select(from: candidates, current: question.image.tag, explaining: false)
        var answer = ImageAnswer(tag: selection.tag, reason: selection.reason)
        if question.needsDigest, let tag = selection.tag {
            // What is written has to be where the tag points now, not at the last scan.
            answer.digest = try await explained { try await inventories.look(at: tag, in: repository) }.digest
        }
        return answer
    }

    /// Whether the names of a repository's tags are enough for a policy.
    static func needsNamesOnly(
        _ policy: ImagePolicy, _ repository: RepositoryLocation, _ platforms: [Platform], built: Set<RepositoryLocation>
    ) -> Bool {
        !policy.needsCreationTime && !built.contains(repository) && platforms.isEmpty
    }

    /// Images that are looked at in vain before it is given up until the next cycle.
    private static let attempts = 20

    /// A policy that goes by the tags' names needs no more than their list, and then a look at the one image that it
    /// chooses: a tag is written into a manifest only when its image is there.
    private func choose(
        _ question: ImageQuestion, among candidates: [TagCandidate], _ inventories: inout Inventories
    ) async throws(AgentError) -> ImageAnswer {
        var known = inventories
        defer { inventories = known }
        var candidates = candidates
        var passedOver: [String] = []
        while true {
            var selection = question.policy.select(from: candidates, current: question.image.tag, explaining: false)
            if !passedOver.isEmpty { selection.reason += " (passed over: \(passedOver.joined(separator: "; ")))" }
            guard let tag = selection.tag, tag != question.image.tag || question.needsDigest else {
                return ImageAnswer(tag: selection.tag, reason: selection.reason)
            }
            let record = try await explained { try await known.look(at: tag, in: question.image.repository) }
            guard let problem = record.problem else {
                return ImageAnswer(tag: tag, digest: record.digest, reason: selection.reason)
            }
            passedOver.append("\(tag): \(problem)")
            if passedOver.count == Self.attempts {
                return ImageAnswer(
                    reason: "the images of \(Self.attempts) tags cannot be used; the best of them is \(passedOver[0])")
            }
            for index in candidates.indices where candidates[index].tag == tag { candidates[index].problem = problem }
        }
    }
}
