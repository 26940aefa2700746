import OCI
import RegistryPoller

/// What is to be known of an image repository: which tag a policy chooses there.
struct ImageQuestion: Sendable {
    /// The repository, and the tag in use where one is known.
    var image: ImageLocation
    var policy: ImagePolicy
    /// What the image has to exist for; with none, any image counts.
    var platforms: [Platform] = []
    /// What the image has to exist for one of; with none, any image counts.
    var anyPlatform: [Platform] = []
    /// Repositories that must have the tag, too.
    var requires: [RepositoryLocation] = []
    /// Whether the tag's digest is wanted.
    var needsDigest = false
    /// What a person took back here.
    var takenBack: TakenBack?
}

extension ImageQuestion {
    /// The same by another policy; one that the dialect does not have leaves the question as it is.
    func trying(_ trial: PolicyTrial) -> ImageQuestion {
        guard let policy = try? trial.parsed(in: self.policy.dialect) else { return self }
        var question = self
        question.policy = policy
        if let current = trial.current, !current.isEmpty { question.image.tag = current }
        return question
    }

    /// Why an image is for none of the platforms that would do. One whose platforms are not known passes.
    func platformProblem(of record: TagRecord) -> String? {
        guard !anyPlatform.isEmpty, !record.platforms.isEmpty,
            !record.platforms.contains(where: { offered in anyPlatform.contains { offered.matches($0) } })
        else { return nil }
        func list(_ platforms: [Platform], _ word: String) -> String {
            platforms.map { "\($0)" }.joined(separator: " \(word) ")
        }
        return "it exists for \(list(record.platforms, "and")), not for \(list(anyPlatform, "or"))"
    }
}

struct ImageAnswer: Sendable {
    var tag: String?
    var digest: Digest?
    var reason: String
    /// When the image in use was created, in seconds since 1970; `nil` where that is not known.
    var createdInUse: Int64?
    /// The value that a person took back and that this tag would bring back, or is not newer than.
    var heldFor: TakenBack.Value?
}

/// Answers questions from what the registries hold.
struct ImageAnswerer: Sendable {
    /// Repositories whose images the agent itself builds.
    let built: Set<RepositoryLocation>
    let history: BranchHistory
    let catalog: TagCatalog

    func answer(_ question: ImageQuestion) async throws(AgentError) -> ImageAnswer {
        let repository = question.image.repository
        let byNames = scan(for: question).images == .none
        let candidates = try await candidates(for: question)
        var answer: ImageAnswer
        if byNames {
            answer = try await choose(question, among: candidates)
        } else {
            let selection = question.policy.select(from: candidates, current: question.image.tag, explaining: false)
            answer = ImageAnswer(tag: selection.tag, reason: selection.reason)
            if let passed = Self.passedOver(by: selection, question, candidates) {
                answer.reason =
                    selection.tag == nil
                    ? "no image can be used: \(passed)" : "\(selection.reason) (passed over: \(passed))"
            }
            if question.needsDigest, let tag = selection.tag {
                // What is written has to be where the tag points now, not at the last scan.
                answer.digest = try await explained { try await catalog.look(at: tag, in: repository) }.digest
            }
        }
        answer.createdInUse = candidates.first { $0.tag == question.image.tag }?.created
        answer.heldFor = Self.held(answer, for: question, among: candidates)
        return answer
    }

    /// The tags that a policy chose among, and what it says of each.
    struct Considered: Sendable {
        let candidates: [TagCandidate]
        let selection: Selection
    }

    func considered(by question: ImageQuestion) async throws(AgentError) -> Considered {
        let candidates = try await candidates(for: question)
        return Considered(
            candidates: candidates,
            selection: question.policy.select(from: candidates, current: question.image.tag, explaining: true))
    }

    /// The tags that a question is about, with what is known of their images.
    private func candidates(for question: ImageQuestion) async throws(AgentError) -> [TagCandidate] {
        let request = scan(for: question)
        let inventory = try await explained { try await catalog.inventory(request) }
        var missing: [String: String] = [:]
        for other in question.requires {
            let names = try await explained { try await catalog.names(of: other) }
            let tags = Set(names.tags.map(\.tag))
            for record in inventory.tags where !tags.contains(record.tag) {
                missing[record.tag] = "\(other.familiar), which it requires, has no such tag"
            }
        }
        var candidates =
            CandidateOrder.candidates(inventory.tags, position: history.position)
        if !missing.isEmpty {
            for index in candidates.indices {
                if let problem = missing[candidates[index].tag] { candidates[index].problem = problem }
            }
        }
        if !question.anyPlatform.isEmpty, request.images != .none {
            let records = Dictionary(inventory.tags.map { ($0.tag, $0) }) { first, _ in first }
            for index in candidates.indices {
                guard let record = records[candidates[index].tag] else { continue }
                candidates[index].problem = candidates[index].problem ?? question.platformProblem(of: record)
            }
        }
        return candidates
    }

    /// The tag that would have been chosen if its image could be used, and why it cannot.
    private static func passedOver(
        by selection: Selection, _ question: ImageQuestion, _ candidates: [TagCandidate]
    ) -> String? {
        guard candidates.contains(where: { $0.problem != nil }) else { return nil }
        var usable = candidates
        for index in usable.indices { usable[index].problem = nil }
        let best = question.policy.select(from: usable, current: question.image.tag, explaining: false).tag
        guard let best, best != selection.tag, let problem = candidates.first(where: { $0.tag == best })?.problem else {
            return nil
        }
        return "\(best): \(problem)"
    }

    /// What has to be known of a repository's images. Where the agent orders them by their commits, that is all of them; where a
    /// policy goes by names, nothing.
    func scan(for question: ImageQuestion) -> TagCatalog.ScanRequest {
        let repository = question.image.repository
        let images: ScanScope.Images
        if built.contains(repository) {
            images = .all
        } else if question.policy.needsCreationTime || !question.platforms.isEmpty {
            images = .matching(TagInterest(question.policy, current: question.image.tag))
        } else {
            images = .none
        }
        return TagCatalog.ScanRequest(location: repository, images: images, platforms: question.platforms)
    }

    /// Images that are looked at in vain before it is given up until the next cycle.
    private static let attempts = 20

    /// A policy that goes by the tags' names needs no more than their list, and then a look at the one image that it
    /// chooses: a tag is written into a manifest only when its image is there.
    private func choose(
        _ question: ImageQuestion, among candidates: [TagCandidate]
    ) async throws(AgentError) -> ImageAnswer {
        var candidates = candidates
        var passedOver: [String] = []
        while true {
            var selection = question.policy.select(from: candidates, current: question.image.tag, explaining: false)
            if !passedOver.isEmpty {
                let passed = passedOver.joined(separator: "; ")
                selection.reason =
                    selection.tag == nil
                    ? "no image can be used: \(passed)" : "\(selection.reason) (passed over: \(passed))"
            }
            guard let tag = selection.tag, tag != question.image.tag || question.needsDigest else {
                return ImageAnswer(tag: selection.tag, reason: selection.reason)
            }
            let record = try await explained { try await catalog.look(at: tag, in: question.image.repository) }
            guard let problem = record.problem ?? question.platformProblem(of: record) else {
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

    // MARK: Holds

    /// The value that a person took back, when the answer would bring it back or is no newer: a person wins until
    /// something newer appears.
    private static func held(
        _ answer: ImageAnswer, for question: ImageQuestion, among candidates: [TagCandidate]
    ) -> TakenBack.Value? {
        guard let takenBack = question.takenBack, let tag = answer.tag else { return nil }
        let text = ImageLocation(
            repository: question.image.repository, tag: tag, digest: question.needsDigest ? answer.digest : nil)
        if let value = takenBack.value(broughtBackBy: "\(text)") { return value }
        guard takenBack.isCurrent, let newest = takenBack.newest, let old = ImageVersion(newest.text).tag, old != tag
        else { return nil }
        let known = candidates.first { $0.tag == old }
        if known == nil, let before = TagSeries(old), let after = TagSeries(tag), before.prefix == after.prefix {
            return after.number > before.number ? nil : newest
        }
        guard let chosen = candidates.first(where: { $0.tag == tag }) else { return nil }
        // An image that is gone counts as made when it was written.
        var contest = [known ?? TagCandidate(tag: old, created: newest.time), chosen]
        contest[0].problem = nil
        if known == nil { contest[1].rank = nil }
        let better = question.policy.select(from: contest, current: nil, allowDowngrade: true, explaining: false).tag
        return better == tag ? nil : newest
    }
}
