import Diagnostics
import ManifestUpdater
import OCI
import RegistryPoller

/// What is to be followed of one Application, whoever says so: its annotations, or an `ImageUpdater`.
struct ArgoImage: Hashable, Sendable {
    /// Who says so, for messages.
    enum Decider: Hashable, Sendable {
        case annotations
        case updater(String)
    }

    let application: ArgoApplication
    let decider: Decider
    /// Where it is said.
    let location: SourceLocation
    let image: ArgoApplication.Image
    /// As written; `nil` for the default.
    var strategy: String?
    var allowTags: String?
    var ignoreTags: [String] = []
    var platforms: [String] = []
    /// `nil` for what the kind of source asks for.
    var target: ArgoImageUpdater.Target?
    /// The name in a kustomization, beside a target for Helm.
    var kustomizeName: String?
    var writeBack = ArgoImageUpdater.WriteBack()
    /// Why it is left alone.
    var held: String?

    var alias: String { image.alias ?? image.name }

    /// Whether both ask for the same, whoever they are.
    func isSame(as other: ArgoImage) -> Bool {
        image.name == other.image.name && image.constraint == other.image.constraint && strategy == other.strategy
            && allowTags == other.allowTags && ignoreTags == other.ignoreTags && platforms == other.platforms
            && target == other.target && kustomizeName == other.kustomizeName && writeBack == other.writeBack
            && held == other.held
    }

    /// Whether both would write one place: the same image, or the same names.
    func collides(with other: ArgoImage) -> Bool {
        if let target, let otherTarget = other.target { return target == otherTarget }
        return image.name == other.image.name
    }

    // MARK: Policy

    enum Strategy: String {
        case semver, digest, alphabetical
        case newestBuild = "newest-build"

        /// Whether it reads manifests, and so can tell platforms.
        var readsManifests: Bool { self == .newestBuild || self == .digest }
    }

    func knownStrategy() throws(AgentError) -> Strategy {
        switch (strategy ?? "semver").lowercased() {
        case "latest": return .newestBuild
        case "name": return .alphabetical
        case let word:
            if let strategy = Strategy(rawValue: word) { return strategy }
            throw AgentError(
                "unknown update strategy '\(strategy ?? "")'", place: location.description,
                hint: "use semver, newest-build, alphabetical or digest")
        }
    }

    func policy() throws(AgentError) -> ImagePolicy {
        var specification = PolicySpecification(dialect: .argocd)
        switch try knownStrategy() {
        case .semver: specification.order = .semver(image.constraint ?? "")
        case .newestBuild: specification.order = .newestBuild
        case .alphabetical: specification.order = .alphabetical("asc")
        case .digest:
            guard let tag = image.constraint, !tag.isEmpty else {
                throw AgentError(
                    "the strategy 'digest' of '\(image.name)' names no tag", place: location.description,
                    hint: "write the tag that is followed: \(image.name):latest")
            }
            specification.order = .digest(tag)
        }
        switch allowTags {
        case nil, "", "any"?: break
        case let text? where text.hasPrefix("regexp:"):
            specification.regexp = String(text.dropFirst("regexp:".count))
        case let text?:
            throw AgentError(
                "allow-tags is '\(text)'", place: location.description, hint: "write regexp:EXPRESSION or any")
        }
        specification.ignore = ignoreTags.map { $0.filter { !$0.isWhitespace } }.filter { !$0.isEmpty }
        let complete = specification
        return try Written.policy(at: location) { () throws(PolicyError) in try ImagePolicy(complete) }
    }
}

extension ArgoImage {
    /// An image of an Application's own annotations.
    init(annotated image: ArgoApplication.Image, of application: ArgoApplication) {
        self.application = application
        decider = .annotations
        location = application.location
        self.image = image
        strategy = application.option("update-strategy", of: image)
        allowTags = application.option("allow-tags", of: image)
        ignoreTags = Self.list(application.option("ignore-tags", of: image))
        platforms = Self.list(application.option("platforms", of: image))
        let spec = application.own("helm.image-spec", of: image)
        let (name, tag) = (application.own("helm.image-name", of: image), application.own("helm.image-tag", of: image))
        let original = application.own("kustomize.image-name", of: image)
        // With both, the kind of the source says which of them counts.
        kustomizeName = original
        if spec != nil || name != nil || tag != nil {
            target = .helm(name: name, tag: tag, spec: spec)
        } else if let original {
            target = .kustomize(name: original)
        }
        writeBack.method = application.annotations["write-back-method"]
        writeBack.target = application.annotations["write-back-target"]
        writeBack.repository = application.annotations["git-repository"]
        writeBack.branch = application.annotations["git-branch"]
    }

    private static func list(_ text: String?) -> [String] {
        (text ?? "").split(separator: ",").map { $0.filter { !$0.isWhitespace } }.filter { !$0.isEmpty }
    }

    /// An image of an `ImageUpdater`'s reference.
    init(
        _ image: ArgoImageUpdater.Image, of application: ArgoApplication, in reference: ArgoImageUpdater.Reference,
        _ updater: ArgoImageUpdater
    ) {
        self.application = application
        decider = .updater("\(updater.description) (\(updater.location))")
        location = image.location
        self.image = image.image
        let settings = image.settings.inheriting(reference.settings.inheriting(updater.settings))
        strategy = settings.strategy
        allowTags = settings.allowTags
        ignoreTags = settings.ignoreTags ?? []
        platforms = settings.platforms ?? []
        target = image.target
        writeBack = reference.writeBack.inheriting(updater.writeBack)
        if image.isVerified ?? reference.isVerified ?? updater.isVerified ?? false { held = Self.unverified }
    }

    /// The key is in a Secret of the cluster.
    static let unverified =
        "not updated: imagesVerification asks for a signature to be verified, and its key is a Secret of the cluster; "
        + "take the block away, or leave the image to Argo CD Image Updater"
}
