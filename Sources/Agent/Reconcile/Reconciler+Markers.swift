import Diagnostics
import ManifestUpdater
import OCI
import RegistryPoller

/// Flux v2's markers, answered by the `ImagePolicy` and `ImageRepository` objects that the repository holds.
extension Reconciler {
    func follow(
        marker target: ImageTarget, _ found: Discovered, _ sources: inout ImageSources
    ) async throws(AgentError) -> Outcome {
        guard case .flux2Marker(let namespace, let name) = target.source else { return .left("no marker") }
        let policies = found.imagePolicies.filter { $0.name == name && ($0.namespace ?? namespace) == namespace }
        guard let policy = policies.first(where: { $0.namespace != nil }) ?? policies.first else {
            return .left(
                "not updated: its marker names the image policy \(namespace):\(name), which is not in the repository")
        }
        func refuse(_ summary: String, _ location: SourceLocation, _ hint: String?) -> AgentError {
            AgentError(summary, place: location.description, hint: hint)
        }
        if let problem = policy.problem {
            throw refuse("the image policy \(namespace):\(name) cannot be used: \(problem)", policy.location, nil)
        }
        if policy.isSuspended { return .left("not updated: the image policy \(namespace):\(name) is suspended") }
        let space = policy.repositoryNamespace ?? namespace
        let repositories = found.imageRepositories.filter {
            $0.name == policy.repositoryName && ($0.namespace ?? space) == space
        }
        guard let repository = repositories.first(where: { $0.namespace != nil }) ?? repositories.first else {
            throw refuse(
                "the image policy \(namespace):\(name) names the image repository \(space):\(policy.repositoryName), "
                    + "which is not in the repository", policy.location,
                "keep the ImageRepository beside the ImagePolicy")
        }
        if repository.isSuspended {
            return .left("not updated: the image repository \(space):\(repository.name) is suspended")
        }
        if space != namespace, !Self.allows(repository, namespace) {
            throw refuse(
                "the image policy \(namespace):\(name) may not use the image repository \(space):\(repository.name)",
                repository.location,
                "allow it under spec.accessFrom, for all namespaces by matchLabels: {} or by kubernetes.io/metadata.name"
            )
        }
        guard let image = (try? Reference(repository.image)).map({ ImageLocation($0) }), image.tag == nil,
            image.digest == nil
        else {
            throw refuse(
                "the image repository \(space):\(repository.name) has the image '\(repository.image)'",
                repository.location, "write a registry's repository, without scheme, tag and digest")
        }
        let current = Self.current(target, among: found.targets)
        var question = ImageQuestion(
            image: ImageLocation(repository: image.repository, tag: current),
            policy: try Self.policy(policy, repository))
        question.needsDigest = policy.digestReflection != .never
        let answer = try await ask(question, &sources)
        guard let tag = answer.tag else { return .left("not updated: \(answer.reason)") }
        let digest = policy.digestReflection == .never ? nil : answer.digest?.description
        let new = ImageText(name: repository.image, tag: tag, digest: digest)
        let done = Outcome.left("nothing to update: \(tag) runs already and is \(answer.reason)")
        // A digest that was written for this tag stays, wherever the tag points meanwhile.
        if policy.digestReflection == .ifNotPresent, current == tag {
            let written = ImageText(target.image)
            switch target.field {
            case .digest where !target.image.isEmpty: return done
            case .reference where written.digest != nil && written.name == new.name && written.tag == tag: return done
            default: break
            }
        }
        if target.written(for: new) == target.image { return done }
        return .chosen(Choice(place: .target(target), tag: tag, newImage: new.description, reason: answer.reason))
    }

    /// Where a marker's policy looks, as far as that can be told at a glance.
    static func repository(ofMarker target: ImageTarget, _ found: Discovered) -> RepositoryLocation? {
        guard case .flux2Marker(let namespace, let name) = target.source,
            let policy = found.imagePolicies.first(where: {
                $0.name == name && ($0.namespace ?? namespace) == namespace
            }),
            policy.problem == nil, !policy.isSuspended
        else { return nil }
        let space = policy.repositoryNamespace ?? namespace
        let repository = found.imageRepositories.first {
            $0.name == policy.repositoryName && ($0.namespace ?? space) == space && !$0.isSuspended
        }
        return repository.flatMap { try? Reference($0.image) }.map { ImageLocation($0).repository }
    }

    private static func policy(
        _ policy: FluxImagePolicy, _ repository: FluxImageRepository
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
                "the image policy \(policy.name) cannot be used: \(error.summary)", place: policy.location.description,
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
    private static func current(_ target: ImageTarget, among targets: [ImageTarget]) -> String? {
        func tag(_ target: ImageTarget) -> String? {
            switch target.field {
            case .reference: ImageText(target.image).tag
            case .tag: target.image.isEmpty ? nil : target.image
            case .name, .digest: nil
            }
        }
        return tag(target)
            ?? targets.lazy.filter { $0.file == target.file && $0.source == target.source }.compactMap(tag).first
    }
}
