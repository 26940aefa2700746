package import Diagnostics
import YAML

/// Flux v2's `ImageRepository`, as far as a choice of tags depends on it.
///
/// https://fluxcd.io/flux/components/image/imagerepositories/
package struct FluxImageRepository: Hashable, Sendable {
    /// `nil` where the manifest leaves it to whatever applies it.
    package var namespace: String?
    package var name: String
    package var image: String
    package var exclusionList: [String]
    package var isSuspended: Bool
    /// Who else may use it: label selectors of namespaces; `nil` when nobody may.
    package var accessFrom: [[String: String]]?
    package var location: SourceLocation
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

    package var namespace: String?
    package var name: String
    package var repositoryNamespace: String?
    package var repositoryName: String
    package var order: Order?
    package var pattern: String?
    package var extract: String?
    package var digestReflection: DigestReflection
    package var isSuspended: Bool
    /// What makes the object unusable.
    package var problem: String?
    package var location: SourceLocation
}

extension Scanner {
    /// Objects of `image.toolkit.fluxcd.io`; others are none of ours.
    mutating func scanFluxObject(_ manifest: Manifest) {
        guard manifest.node["apiVersion"]?.text?.hasPrefix("image.toolkit.fluxcd.io/") == true else { return }
        let metadata = manifest.node["metadata"]
        func text(_ node: YAMLNode?) -> String? {
            guard let node, !node.isNull, let text = node.text, !text.isEmpty else { return nil }
            return text
        }
        guard let name = text(metadata?["name"]) else { return }
        let namespace = text(metadata?["namespace"])
        let spec = manifest.node["spec"]
        let isSuspended = spec?["suspend"]?.text == "true"
        switch manifest.kind {
        case "ImageRepository":
            add(
                FluxImageRepository(
                    namespace: namespace, name: name, image: text(spec?["image"]) ?? "",
                    exclusionList: (spec?["exclusionList"]?.items ?? []).compactMap(\.text), isSuspended: isSuspended,
                    accessFrom: spec?["accessFrom"]?["namespaceSelectors"]?.items?.map {
                        Manifest.texts($0["matchLabels"])
                    }, location: location(of: manifest.node)))
        case "ImagePolicy":
            var policy = FluxImagePolicy(
                namespace: namespace, name: name,
                repositoryNamespace: text(spec?["imageRepositoryRef"]?["namespace"]),
                repositoryName: text(spec?["imageRepositoryRef"]?["name"]) ?? "",
                pattern: text(spec?["filterTags"]?["pattern"]), extract: text(spec?["filterTags"]?["extract"]),
                digestReflection: .never, isSuspended: isSuspended, location: location(of: manifest.node))
            let choice = spec?["policy"]
            if let semver = choice?["semver"] {
                policy.order = .semver(range: text(semver["range"]) ?? "")
            } else if let alphabetical = choice?["alphabetical"] {
                policy.order = .alphabetical(order: text(alphabetical["order"]) ?? "")
            } else if let numerical = choice?["numerical"] {
                policy.order = .numerical(order: text(numerical["order"]) ?? "")
            } else {
                policy.problem = "it has no policy: write semver, alphabetical or numerical under spec.policy"
            }
            if policy.repositoryName.isEmpty { policy.problem = "it names no image repository" }
            if let word = text(spec?["digestReflectionPolicy"]) {
                if let reflection = FluxImagePolicy.DigestReflection(rawValue: word) {
                    policy.digestReflection = reflection
                } else {
                    policy.problem =
                        "digestReflectionPolicy is '\(word.prefix(40))', not Never, IfNotPresent or Always"
                }
            }
            add(policy)
        default: break
        }
    }
}
