/// Flux v2's `ImageRepository`, as far as a choice of tags depends on it.
///
/// https://fluxcd.io/flux/components/image/imagerepositories/
package struct FluxImageRepository: Hashable, Sendable {
    package var image: String
    package var exclusionList: [String]
    package var isSuspended: Bool
    /// Who else may use it: label selectors of namespaces; `nil` when nobody may.
    package var accessFrom: [[String: String]]?

    package init(_ object: FluxObject) {
        let spec = object.spec
        image = spec?["image"]?.string ?? ""
        exclusionList = (spec?["exclusionList"]?.items ?? []).compactMap(\.string)
        isSuspended = spec?["suspend"]?.isTrue ?? false
        if case .list(let selectors)? = spec?["accessFrom"]?["namespaceSelectors"] {
            accessFrom = selectors.map { $0["matchLabels"]?.texts ?? [:] }
        }
    }
}

/// Flux v2's `ImagePolicy`.
///
/// https://fluxcd.io/flux/components/image/imagepolicies/
package struct FluxImagePolicy: Hashable, Sendable {
    package enum Order: Hashable, Sendable {
        case semver(range: String)
        /// `asc` or `desc`; empty for the default.
        case alphabetical(order: String)
        case numerical(order: String)
    }

    package enum DigestReflection: String, Sendable {
        case never = "Never"
        case ifNotPresent = "IfNotPresent"
        case always = "Always"
    }

    package var repositoryNamespace: String?
    package var repositoryName: String
    package var order: Order?
    package var pattern: String?
    package var extract: String?
    /// `nil` when it is not said, which is `never` to Flux.
    package var digestReflection: DigestReflection?
    package var isSuspended: Bool
    /// What makes the object unusable.
    package var problem: String?

    package init(_ object: FluxObject) {
        let spec = object.spec
        repositoryNamespace = spec?["imageRepositoryRef"]?["namespace"]?.string
        repositoryName = spec?["imageRepositoryRef"]?["name"]?.string ?? ""
        pattern = spec?["filterTags"]?["pattern"]?.string
        extract = spec?["filterTags"]?["extract"]?.string
        isSuspended = spec?["suspend"]?.isTrue ?? false
        let choice = spec?["policy"]
        if let semver = choice?["semver"] {
            order = .semver(range: semver["range"]?.string ?? "")
        } else if let alphabetical = choice?["alphabetical"] {
            order = .alphabetical(order: alphabetical["order"]?.string ?? "")
        } else if let numerical = choice?["numerical"] {
            order = .numerical(order: numerical["order"]?.string ?? "")
        } else {
            problem = "it has no policy: write semver, alphabetical or numerical under spec.policy"
        }
        if repositoryName.isEmpty { problem = "it names no image repository" }
        if let word = spec?["digestReflectionPolicy"]?.string {
            if let reflection = DigestReflection(rawValue: word) {
                digestReflection = reflection
            } else {
                problem = "digestReflectionPolicy is '\(word.prefix(40))', not Never, IfNotPresent or Always"
            }
        }
    }
}
