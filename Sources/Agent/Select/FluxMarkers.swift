import Diagnostics
import ManifestUpdater
import OCI
import RegistryPoller

/// Flux v2's markers, answered by the `ImagePolicy` and `ImageRepository` objects that the repository holds.
struct FluxMarkers: UpdateSource {
    let items: [ImageTarget]
    let imagePolicies: [FluxImagePolicy]
    let imageRepositories: [FluxImageRepository]
    /// Repositories whose images the agent itself builds.
    let built: Set<RepositoryLocation>

    func subject(of target: ImageTarget) -> String {
        "\(target.file):\(target.location.line) \(target.workload) \(target.container)"
    }

    func inquiry(for target: ImageTarget) async throws(AgentError) -> Inquiry {
        guard case .flux2Marker(let namespace, let name) = target.source else { return .left("no marker") }
        guard let policy = policy(name, in: namespace) else {
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
        let (space, found) = repository(of: policy, in: namespace)
        guard let repository = found else {
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
        var question = ImageQuestion(
            image: ImageLocation(repository: image.repository, tag: current(target)),
            policy: try Self.policy(policy, repository))
        question.needsDigest = policy.digestReflection != .never
        return .ask(Inquiry.Asked(question: question, place: .target(target)))
    }

    func outcome(
        for target: ImageTarget, _ asked: Inquiry.Asked, _ chosen: ChosenTag
    ) throws(AgentError) -> SelectionOutcome {
        guard let (policy, repository) = objects(of: target) else { return .left("no marker") }
        let tag = chosen.tag
        let digest = policy.digestReflection == .never ? nil : chosen.digest?.description
        let new = ImageText(name: repository.image, tag: tag, digest: digest)
        let done = SelectionOutcome.left("nothing to update: \(tag) runs already and is \(chosen.reason)")
        // A digest that was written for this tag stays, wherever the tag points meanwhile.
        if policy.digestReflection == .ifNotPresent, asked.question.image.tag == tag {
            let written = ImageText(target.image)
            switch target.field {
            case .digest where !target.image.isEmpty: return done
            case .reference where written.digest != nil && written.name == new.name && written.tag == tag: return done
            default: break
            }
        }
        if target.written(for: new) == target.image { return done }
        return .chosen(
            ImageChoice(place: .target(target), tag: tag, newImage: new.description, reason: chosen.reason))
    }

    // MARK: Objects

    /// The policy that a marker names, and the repository that it asks; nothing where one of them is not there.
    private func objects(of target: ImageTarget) -> (FluxImagePolicy, FluxImageRepository)? {
        guard case .flux2Marker(let namespace, let name) = target.source, let policy = policy(name, in: namespace)
        else { return nil }
        return repository(of: policy, in: namespace).found.map { (policy, $0) }
    }

    /// An object that says its namespace goes before one that says none, which may be of any.
    private func policy(_ name: String, in namespace: String) -> FluxImagePolicy? {
        let policies = imagePolicies.filter { $0.name == name && ($0.namespace ?? namespace) == namespace }
        return policies.first { $0.namespace != nil } ?? policies.first
    }

    /// - Returns: the namespace that it has to be in, too.
    private func repository(
        of policy: FluxImagePolicy, in namespace: String
    ) -> (space: String, found: FluxImageRepository?) {
        let space = policy.repositoryNamespace ?? namespace
        let repositories = imageRepositories.filter {
            $0.name == policy.repositoryName && ($0.namespace ?? space) == space
        }
        return (space, repositories.first { $0.namespace != nil } ?? repositories.first)
    }

    func scan(of target: ImageTarget) -> TagCatalog.ScanRequest? {
        // Flux v2's policies go by names alone.
        guard let (policy, repository) = objects(of: target), policy.problem == nil, !policy.isSuspended,
            !repository.isSuspended,
            let location = (try? Reference(repository.image)).map({ ImageLocation($0).repository })
        else { return nil }
        return TagCatalog.ScanRequest(location: location, isComplete: built.contains(location))
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
    private func current(_ target: ImageTarget) -> String? {
        func tag(_ target: ImageTarget) -> String? {
            switch target.field {
            case .reference: ImageText(target.image).tag
            case .tag: target.image.isEmpty ? nil : target.image
            case .name, .digest: nil
            }
        }
        return tag(target)
            ?? items.lazy.filter { $0.file == target.file && $0.source == target.source }.compactMap(tag).first
    }
}
