import Diagnostics
import ManifestUpdater
import OCI
import RegistryPoller

/// Containers of workloads that are annotated: Flux v1's words, Slipway's own, and Keel's.
struct AnnotatedWorkloads: UpdateSource {
    let items: [ImageTarget]
    let repository: AgentConfiguration.RepositoryConfiguration
    /// Whether changes go to a branch where people look at them before they are merged.
    let goesToBranch: Bool
    let answerer: ImageAnswerer
    /// What the images' texts say: many workloads run one image. Wrong ones are missing.
    private let locations: [WrittenReference: ImageLocation]

    init(
        items: [ImageTarget], repository: AgentConfiguration.RepositoryConfiguration, goesToBranch: Bool,
        answerer: ImageAnswerer
    ) {
        self.items = Self.worthTelling(items)
        self.repository = repository
        self.goesToBranch = goesToBranch
        self.answerer = answerer
        var locations: [WrittenReference: ImageLocation] = [:]
        for item in items where locations[item.image] == nil {
            locations[item.image] = try? Written.location(item.image, at: item.location)
        }
        self.locations = locations
    }

    /// Without what nothing speaks of, and what a marker decides, which is told with the marker; a workload that is held as a
    /// whole is there once.
    private static func worthTelling(_ items: [ImageTarget]) -> [ImageTarget] {
        struct Held: Hashable {
            let file: String
            let document: Int
            let workload: WorkloadID
        }
        var held: Set<Held> = []
        return items.filter { target in
            switch target.held {
            case .unannotated?, .imagePolicy?: false
            case let reason? where reason.isOfWorkload:
                held.insert(Held(file: target.file, document: target.documentIndex, workload: target.workload)).inserted
            default: true
            }
        }
    }

    private func location(of target: ImageTarget) throws(AgentError) -> ImageLocation {
        if let known = locations[target.image] { return known }
        return try Written.location(target.image, at: target.location)
    }

    func subject(of target: ImageTarget) -> String {
        let workload = "\(target.file):\(target.location.line) \(target.workload)"
        return target.held?.isOfWorkload ?? false ? workload : "\(workload) \(target.container)"
    }

    func inquiry(for target: ImageTarget) async throws(AgentError) -> Inquiry {
        if let held = target.held {
            if case .locked = held { return .paused("not updated: \(held)") }
            guard case .notAnImage(let reason) = held else { return .left("not updated: \(held)") }
            throw AgentError(
                "'\(target.image)' cannot be updated", place: "\(target.location)", cause: reason,
                hint: "write REPOSITORY:TAG, or take the annotation away")
        }
        let image = try location(of: target)
        if case .keel(let keel) = target.source, let pattern = keel.monitorContainers {
            let expression: RegularExpression
            do { expression = try RegularExpression(pattern) } catch {
                throw AgentError(
                    error.summary, place: target.location.description, cause: error.cause, hint: error.hint)
            }
            guard expression.matches(target.container) else {
                return .left("not updated: keel.sh/monitorContainers leaves this container out")
            }
        }
        var question = ImageQuestion(image: image, policy: try policy(of: target, image))
        if question.policy.needsCurrent, image.tag == nil { question.image.tag = "latest" }
        question.needsDigest = target.options.pinsDigest || target.image.digest != nil
        question.platforms = try Written.platforms(target.options.platforms, at: target.location)
        for text in target.options.requires {
            question.requires.append(try Written.location(text, at: target.location).repository)
        }
        return .ask(Inquiry.Asked(question: question, place: .target(target)))
    }

    func outcome(
        for target: ImageTarget, _ asked: Inquiry.Asked, _ chosen: ChosenTag
    ) throws(AgentError) -> SelectionOutcome {
        let tag = chosen.tag
        var new = target.image.with(tag: tag)
        if asked.question.needsDigest {
            guard let digest = chosen.digest else {
                return .left("not updated: the digest of \(new) is not known")
            }
            new.digest = digest.description
        }
        guard new != target.image else {
            return .left(
                "nothing to update: \(tag) runs already and is \(chosen.reason)" + advice(for: target, asked, tag))
        }
        if target.options.needsApproval, !goesToBranch, target.options.approvedTag != tag {
            let annotation = "annotate slipway.dev/approved.\(target.container): \"\(tag)\", or "
            return .left(
                "waits for approval: \(tag) is \(chosen.reason); \(target.options.canBeApproved ? annotation : "")"
                    + "let changes go to a branch ('git.push.branch')")
        }
        return .chosen(
            ImageChoice(place: .target(target), tag: tag, newImage: new, reason: chosen.reason))
    }

    /// How to follow a tag that is moved, where that seems to be wanted.
    private func advice(for target: ImageTarget, _ asked: Inquiry.Asked, _ tag: String) -> String {
        guard !asked.question.needsDigest, tag == "latest" || asked.question.policy.isOfOneTag else { return "" }
        return
            "; what \(tag) points to may change, and is followed by its digest: annotate slipway.dev/pin: \"true\", or write "
            + "\(target.image.with(tag: tag))@sha256:…"
    }

    private func policy(of target: ImageTarget, _ image: ImageLocation) throws(AgentError) -> ImagePolicy {
        let override = repository.policies.first { $0.image == image.repository }?.policy
        return try Written.policy(at: target.location) { () throws(PolicyError) in
            guard case .keel(let keel) = target.source else {
                return try ImagePolicy.parse(target.policy ?? override ?? "glob:*")
            }
            var specification = PolicySpecification(dialect: .keel)
            try specification.read(keel.text)
            specification.matchTag = keel.matchTag
            specification.matchPreRelease = keel.matchPreRelease
            return try ImagePolicy(specification)
        }
    }
}
