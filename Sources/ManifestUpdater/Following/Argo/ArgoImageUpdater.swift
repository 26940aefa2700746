package import Diagnostics
import YAML

/// An `ImageUpdater` of Argo CD Image Updater 1.x: which Applications it takes, and which images of them it follows.
///
/// https://argocd-image-updater.readthedocs.io/en/stable/configuration/applications/
package struct ArgoImageUpdater: Hashable, Sendable {
    /// `commonUpdateSettings`; what is absent is inherited.
    package struct Settings: Hashable, Sendable {
        package var strategy: String?
        package var forcesUpdate: Bool?
        package var allowTags: String?
        package var ignoreTags: [String]?
        package var pullSecret: String?
        package var platforms: [String]?

        package init() {}

        /// These settings where they say something, else what they inherit.
        package func inheriting(_ outer: Settings) -> Settings {
            var result = outer
            if let strategy { result.strategy = strategy }
            if let forcesUpdate { result.forcesUpdate = forcesUpdate }
            if let allowTags { result.allowTags = allowTags }
            if let ignoreTags { result.ignoreTags = ignoreTags }
            if let pullSecret { result.pullSecret = pullSecret }
            if let platforms { result.platforms = platforms }
            return result
        }
    }

    /// `writeBackConfig`; what is absent is inherited.
    package struct WriteBack: Hashable, Sendable {
        package var method: String?
        package var repository: String?
        package var branch: String?
        package var target: String?
        package var asksForPullRequest: Bool?

        package init() {}

        package func inheriting(_ outer: WriteBack) -> WriteBack {
            var result = outer
            if let method { result.method = method }
            if let repository { result.repository = repository }
            if let branch { result.branch = branch }
            if let target { result.target = target }
            if let asksForPullRequest { result.asksForPullRequest = asksForPullRequest }
            return result
        }
    }

    /// `manifestTargets`: where an image is written.
    package enum Target: Hashable, Sendable {
        case helm(name: String?, tag: String?, spec: String?)
        case kustomize(name: String)
        case plugin(name: String?, tag: String?, spec: String?)
    }

    package struct Image: Hashable, Sendable {
        package var alias: String
        package var image: ArgoApplication.Image
        package var settings: Settings
        /// Whether there is a block of settings of its own.
        package var hasSettings: Bool
        package var target: Target?
        /// `imagesVerification.enabled`.
        package var isVerified: Bool?
        package var location: SourceLocation
    }

    package struct Reference: Hashable, Sendable {
        package var namePattern: String
        package var selector: ArgoLabelSelector?
        package var usesAnnotations: Bool
        package var images: [Image]
        package var settings: Settings
        package var writeBack: WriteBack
        package var isVerified: Bool?
        package var location: SourceLocation

        /// The reference with the highest score of a resource takes an Application.
        package var score: Int {
            let isExact = !namePattern.contains { "*?[]".contains($0) }
            var literal = 0
            var isInClass = false
            for character in namePattern {
                switch character {
                case "[": isInClass = true
                case "]": isInClass = false
                case "*", "?": break
                default: if !isInClass { literal += 1 }
                }
            }
            let bonus = selector.map { 10_000 + 100 * ($0.labels.count + $0.expressions.count) } ?? 0
            return (isExact ? 1_000_000 : 0) + literal + bonus
        }
    }

    /// What is written and not obeyed.
    package struct Problem: Hashable, Sendable {
        package var location: SourceLocation
        package var reason: String
        /// Whether the resource, or the image, cannot be used for it.
        package var isFatal: Bool
    }

    package var name: String
    /// `nil` where the manifest leaves it to whatever applies it.
    package var namespace: String?
    package var references: [Reference] = []
    package var settings = Settings()
    package var writeBack = WriteBack()
    package var isVerified: Bool?
    package var problems: [Problem] = []
    package var location: SourceLocation

    package var description: String { "ImageUpdater \(namespace.map { "\($0)/" } ?? "")\(name)" }
}

extension Scanner {
    mutating func scanArgoImageUpdater(_ manifest: Manifest) {
        let metadata = ArgoValue(manifest.node["metadata"] ?? manifest.node)
        guard let name = metadata["name"]?.filledText else { return }
        var updater = ArgoImageUpdater(
            name: name, namespace: metadata["namespace"]?.filledText, location: location(of: manifest.node))
        if let spec = manifest.node["spec"], spec.pairs != nil {
            var reader = ArgoImageUpdaterReader()
            reader.read(spec, into: &updater) { location(of: $0) }
            updater.problems = reader.problems
        }
        add(updater)
    }
}
