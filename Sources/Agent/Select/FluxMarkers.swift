import Diagnostics
import ManifestUpdater
import OCI
import RegistryPoller

/// Flux v2's markers, answered by the `ImagePolicy` and `ImageRepository` objects that the repository holds.
struct FluxMarkers: UpdateSource {
    let items: [ImageTarget]
    let inventory: FluxInventory
    let automations: FluxAutomations
    /// The agent's own policies, for markers whose policy is not in the repository.
    let overrides: [AgentConfiguration.PolicyOverride]
    /// Repositories whose images the agent itself builds.
    let built: Set<RepositoryLocation>

    func subject(of target: ImageTarget) -> String {
        "\(target.file):\(target.location.line) \(target.workload) \(target.container)"
    }

    func inquiry(for target: ImageTarget) async throws(AgentError) -> Inquiry {
        let automation: FluxAutomations.Duty
        switch automations.duty(for: target) {
        case .left(let reason): return .left(reason)
        case .updated(let duty): automation = duty
        }
        let answer: Answer
        switch try answering(target, by: automation) {
        case .left(let reason): return .left(reason)
        case .paused(let reason): return .paused(reason)
        case .asked(let found): answer = found
        }
        var question = ImageQuestion(
            image: ImageLocation(repository: answer.location, tag: current(target)), policy: answer.policy)
        question.needsDigest = answer.reflection != .never || target.field == .digest
        return .ask(Inquiry.Asked(question: question, place: .target(target)))
    }

    func outcome(
        for target: ImageTarget, _ asked: Inquiry.Asked, _ chosen: ChosenTag
    ) throws(AgentError) -> SelectionOutcome {
        guard case .updated(let duty) = automations.duty(for: target),
            case .asked(let answer) = try answering(target, by: duty)
        else { return .left("no marker") }
        let tag = chosen.tag
        var new = WrittenReference(name: answer.name, tag: tag)
        // A digest that has a place of its own is never emptied, whatever the policy reflects.
        if asked.question.needsDigest {
            guard let digest = chosen.digest else { return .left("not updated: the digest of \(new) is not known") }
            new.digest = digest.description
        }
        let done = SelectionOutcome.left("nothing to update: \(tag) runs already and is \(chosen.reason)")
        // A digest that was written for this tag stays, wherever the tag points meanwhile.
        if answer.reflection != .always, asked.question.image.tag == tag {
            let written = target.image
            switch target.field {
            case .digest where !target.image.isEmpty: return done
            case .reference
            where answer.reflection == .ifNotPresent && written.digest != nil && written.name == new.name
                && written.tag == tag:
                return done
            default: break
            }
        }
        if target.written(for: new) == target.image.description { return done }
        var choice = ImageChoice(place: .target(target), tag: tag, newImage: new, reason: chosen.reason)
        choice.writeBack = duty.writeBack
        return .chosen(choice)
    }

    // MARK: Objects

    /// What answers a marker.
    private struct Answer {
        /// The image's name as it is written.
        let name: String
        let location: RepositoryLocation
        let policy: ImagePolicy
        let reflection: FluxImagePolicy.DigestReflection
    }

    private enum Answering {
        case asked(Answer)
        case left(String)
        case paused(String)
    }

    /// The policy that a marker names with its repository, else what the agent's configuration says of the image.
    private func answering(
        _ target: ImageTarget, by duty: FluxAutomations.Duty
    ) throws(AgentError) -> Answering {
        guard case .flux2Marker(let namespace, let name) = target.source else { return .left("no marker") }
        let (object, policy): (FluxObject, FluxImagePolicy)
        switch inventory.search(.imagePolicy, name, in: namespace, of: duty.cluster) {
        case .missing: return try override(target, namespace, name)
        case .unknown(let reason): return .left("not updated: \(reason)")
        case .found(let found): (object, policy) = (found.object, FluxImagePolicy(found.object))
        }
        func refuse(_ summary: String, _ location: SourceLocation, _ hint: String?) -> AgentError {
            AgentError(summary, place: location.description, hint: hint)
        }
        if let problem = policy.problem {
            throw refuse("the image policy \(namespace):\(name) cannot be used: \(problem)", object.location, nil)
        }
        if policy.isSuspended { return .paused("not updated: the image policy \(namespace):\(name) is suspended") }
        let space = policy.repositoryNamespace ?? namespace
        let (source, repository): (FluxObject, FluxImageRepository)
        switch inventory.search(.imageRepository, policy.repositoryName, in: space, of: duty.cluster) {
        case .unknown(let reason): return .left("not updated: \(reason)")
        case .found(let found): (source, repository) = (found.object, FluxImageRepository(found.object))
        case .missing:
            throw refuse(
                "the image policy \(namespace):\(name) names the image repository \(space):\(policy.repositoryName), "
                    + "which is not in the repository", object.location,
                "keep the ImageRepository beside the ImagePolicy")
        }
        if repository.isSuspended {
            return .paused("not updated: the image repository \(space):\(source.name) is suspended")
        }
        if space != namespace, !Self.allows(repository, namespace) {
            throw refuse(
                "the image policy \(namespace):\(name) may not use the image repository \(space):\(source.name)",
                source.location,
                "allow it under spec.accessFrom, for all namespaces by matchLabels: {} or by kubernetes.io/metadata.name"
            )
        }
        guard let image = (try? Reference(repository.image)).map({ ImageLocation($0) }), image.tag == nil,
            image.digest == nil
        else {
            throw refuse(
                "the image repository \(space):\(source.name) has the image '\(repository.image)'",
                source.location, "write a registry's repository, without scheme, tag and digest")
        }
        return .asked(
            Answer(
                name: repository.image, location: image.repository,
                policy: try Self.policy(policy, repository, of: object),
                reflection: policy.digestReflection ?? Self.unsaidReflection(target, by: duty)))
    }

    /// What the agent's configuration says of the image that stands at a marker.
    private func override(
        _ target: ImageTarget, _ namespace: String, _ name: String
    ) throws(AgentError) -> Answering {
        if !overrides.isEmpty, let text = imageName(target), let reference = try? Reference(text) {
            let location = ImageLocation(reference).repository
            if let found = overrides.first(where: { $0.image == location }) {
                let policy = try Written.policy(at: target.location) { () throws(PolicyError) in
                    try ImagePolicy.parse(found.policy)
                }
                return .asked(
                    Answer(name: text, location: location, policy: policy, reflection: Self.ownReflection(target)))
            }
        }
        return .left(
            "not updated: its marker names the image policy \(namespace):\(name), which is not in the repository")
    }

    /// Where the policy does not say: an automation is obeyed as Flux obeys it, which replaces the whole value. Where there is none,
    /// nobody but us writes, and what has a digest keeps having one.
    private static func unsaidReflection(
        _ target: ImageTarget, by duty: FluxAutomations.Duty
    ) -> FluxImagePolicy.DigestReflection {
        guard !duty.isOfAutomation, case .reference = target.field, target.image.digest != nil else { return .never }
        return .ifNotPresent
    }

    /// Slipway's own rule, where no object of Flux says another one: what has a digest keeps having one, and follows the tag when
    /// it moves.
    private static func ownReflection(_ target: ImageTarget) -> FluxImagePolicy.DigestReflection {
        switch target.field {
        case .digest: .always
        case .reference: target.image.digest == nil ? .never : .always
        case .tag, .name: .never
        }
    }

    func decider(of target: ImageTarget) -> String? {
        guard case .flux2Marker(let namespace, let name) = target.source else { return nil }
        var place = ""
        if case .updated(let duty) = automations.duty(for: target),
            case .found(let found) = inventory.search(.imagePolicy, name, in: namespace, of: duty.cluster)
        {
            place = " at \(found.object.location)"
        }
        return
            "the image policy \(namespace):\(name)\(place), named by the marker at \(target.file):\(target.location.line)"
    }

    /// The image's name as it stands at a marker, or at another one of its policy in the file.
    private func imageName(_ target: ImageTarget) -> String? {
        func name(_ target: ImageTarget) -> String? {
            switch target.field {
            case .reference, .name: target.image.name
            case .tag, .digest: nil
            }
        }
        return name(target)
            ?? items.lazy.filter { $0.file == target.file && $0.source == target.source }.compactMap(name).first
    }

    private static func policy(
        _ policy: FluxImagePolicy, _ repository: FluxImageRepository, of object: FluxObject
    ) throws(AgentError) -> ImagePolicy {
        var specification = PolicySpecification(dialect: .flux2)
        switch policy.order {
        case .semver(let range): specification.order = .semver(range)
        case .alphabetical(let order): specification.order = .alphabetical(order)
        case .numerical(let order): specification.order = .numerical(order)
        case nil: break
        }
        specification.filter = policy.pattern
        specification.extract = policy.pattern == nil ? nil : policy.extract
        specification.exclude = repository.exclusionList
        do {
            return try ImagePolicy(specification)
        } catch {
            throw AgentError(
                "the image policy \(object.name) cannot be used: \(error.summary)", place: object.location.description,
                cause: error.cause, hint: error.hint)
        }
    }

    /// Labels of namespaces are not in git, but for the one that every namespace has.
    private static func allows(_ repository: FluxImageRepository, _ namespace: String) -> Bool {
        (repository.accessFrom ?? []).contains { labels in
            labels.allSatisfy { $0.key == "kubernetes.io/metadata.name" && $0.value == namespace }
        }
    }

    /// The tag in use: the marker's own, or for one that holds no tag that of its neighbour in the file.
    private func current(_ target: ImageTarget) -> String? {
        func tag(_ target: ImageTarget) -> String? {
            switch target.field {
            case .reference: target.image.tag
            case .tag: target.image.isEmpty ? nil : target.image.description
            case .name, .digest: nil
            }
        }
        return tag(target)
            ?? items.lazy.filter { $0.file == target.file && $0.source == target.source }.compactMap(tag).first
    }
}
