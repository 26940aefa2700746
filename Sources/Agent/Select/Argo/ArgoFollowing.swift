import Diagnostics
import ManifestUpdater
import RegistryPoller

/// Which images of which Applications are followed, and what of that cannot be obeyed.
///
/// Where the repository holds no `ImageUpdater`, annotations count, as before version 1.0 of Argo CD Image Updater. Where it
/// holds one, they count only through a reference with `useAnnotations`.
struct ArgoFollowing: Sendable {
    private(set) var images: [ArgoImage] = []
    private(set) var decisions: [CycleReport.Decision] = []

    /// - Parameter told: what is to be said beside.
    init(applications: [ArgoApplication], updaters: [ArgoImageUpdater], told: [CycleReport.Decision] = []) {
        decisions = told
        guard !updaters.isEmpty else {
            for application in applications where application.annotations["image-list"] != nil {
                follow(annotationsOf: application)
            }
            return
        }
        var taken: [ArgoApplication: [ArgoImageUpdater]] = [:]
        var found: [ArgoApplication: [ArgoImage]] = [:]
        for updater in updaters {
            for (application, images) in take(applications, by: updater) {
                taken[application, default: []].append(updater)
                found[application, default: []] += images
            }
        }
        for application in applications {
            if let images = found[application] {
                self.images += arbitrated(images)
            } else if application.annotations["image-list"] != nil, taken[application] == nil {
                decide(
                    Self.name(of: application),
                    "not updated: its annotations count only where an ImageUpdater takes it with useAnnotations, as the "
                        + "repository has \(updaters.count == 1 ? "an ImageUpdater" : "ImageUpdaters")")
            }
        }
    }

    private mutating func decide(_ subject: String, _ reason: String, remedy: String? = nil) {
        let decision = CycleReport.Decision(subject: subject, reason: reason, remedy: remedy)
        if !decisions.contains(decision) { decisions.append(decision) }
    }

    static func name(of application: ArgoApplication) -> String {
        "\(application.file):\(application.location.line) \(application.workload)"
    }

    // MARK: Annotations

    private mutating func follow(annotationsOf application: ArgoApplication) { images += annotated(application) }

    private mutating func annotated(_ application: ArgoApplication) -> [ArgoImage] {
        let (images, wrong) = application.images
        for text in wrong {
            decide(Self.name(of: application), "not updated: '\(text)' in image-list is not an image")
        }
        // What an alias says that the list does not have was meant for one of its images.
        let known = Set(images.compactMap(\.alias).map { ArgoApplication.key(ofAlias: $0) })
        var unknown: [String: [String]] = [:]
        for key in application.annotations.keys {
            for option in Self.aliasOptions where key.hasSuffix(".\(option)") {
                let alias = String(key.dropLast(option.count + 1))
                if !known.contains(alias) { unknown[alias, default: []].append(option) }
            }
        }
        for key in application.annotations.keys.sorted() where key.contains("ignore-tags") {
            for text in (application.annotations[key] ?? "").split(separator: ",") {
                let text = text.filter { !$0.isWhitespace }
                guard text.hasPrefix("regexp:") else { continue }
                decide(
                    Self.name(of: application),
                    "'\(text.prefix(60))' in \(key) is a glob, not an expression: Argo CD Image Updater reads it so, too"
                )
            }
        }
        guard let (alias, options) = unknown.min(by: { $0.key < $1.key }) else {
            return images.map { ArgoImage(annotated: $0, of: application) }
        }
        let names = images.compactMap(\.alias).sorted().joined(separator: ", ")
        decide(
            Self.name(of: application),
            "not updated: \(options.sorted().map { "'\(alias).\($0)'" }.joined(separator: ", ")) "
                + "\(options.count == 1 ? "names" : "name") an alias that image-list does not have",
            remedy: names.isEmpty
                ? "give the image an alias: image-list: \(alias)=\(images.first?.name ?? "IMAGE")"
                : "its aliases are \(names)")
        return []
    }

    private static let aliasOptions = [
        "update-strategy", "allow-tags", "ignore-tags", "platforms", "pull-secret", "force-update", "helm.image-name",
        "helm.image-tag", "helm.image-spec", "kustomize.image-name",
    ]

    // MARK: Resources

    /// The Applications that a resource takes, each with the images that it follows there.
    private mutating func take(
        _ applications: [ArgoApplication], by updater: ArgoImageUpdater
    ) -> [(ArgoApplication, [ArgoImage])] {
        for problem in updater.problems {
            decide("\(problem.location) \(updater.description)", (problem.isFatal ? "not used: " : "") + problem.reason)
        }
        noteDefaults(of: updater)
        var patterns: [WildcardPattern] = []
        for reference in updater.references {
            do {
                patterns.append(try WildcardPattern(reference.namePattern))
            } catch {
                // The tool tries all patterns first: one that is wrong stops the resource.
                decide(
                    "\(reference.location) \(updater.description)",
                    "not used: the namePattern '\(reference.namePattern)' is malformed"
                        + (error.cause.map { ": \($0)" } ?? ""))
                return []
            }
        }
        if updater.problems.contains(where: \.isFatal) { return [] }
        // Sorted by score; equal ones stay in the order of the list.
        let order = updater.references.indices.sorted {
            (updater.references[$1].score, $0) < (updater.references[$0].score, $1)
        }
        var taken: [(ArgoApplication, [ArgoImage])] = []
        for application in applications where Self.isSame(updater.namespace, application.namespace) {
            let place = order.first {
                patterns[$0].matches(application.workload.name)
                    && updater.references[$0].selector?.matches(application.labels) ?? true
            }
            guard let place else { continue }
            let reference = updater.references[place]
            taken.append((application, images(of: application, in: reference, updater)))
        }
        if taken.isEmpty {
            let others = applications.map { "\($0.namespace.map { "\($0)/" } ?? "")\($0.workload.name)" }.sorted()
            decide(
                "\(updater.location) \(updater.description)",
                "takes no Application"
                    + (updater.namespace.map { " of the namespace \($0)" } ?? "") + "; "
                    + (others.isEmpty
                        ? "the repository has none"
                        : "the repository has \(others.prefix(5).joined(separator: ", "))"
                            + (others.count > 5 ? " and \(others.count - 5) more" : "")))
        }
        return taken
    }

    /// An object that does not say its namespace may be in any.
    private static func isSame(_ left: String?, _ right: String?) -> Bool {
        left == nil || right == nil || left == right
    }

    private mutating func images(
        of application: ArgoApplication, in reference: ArgoImageUpdater.Reference, _ updater: ArgoImageUpdater
    ) -> [ArgoImage] {
        guard reference.usesAnnotations else {
            return reference.images.map { ArgoImage($0, of: application, in: reference, updater) }
        }
        guard application.annotations["image-list"] != nil else {
            decide(
                Self.name(of: application),
                "not updated: \(updater.description) takes it with useAnnotations, and it has no image-list")
            return []
        }
        var images = annotated(application)
        if reference.isVerified ?? false {
            for index in images.indices { images[index].held = ArgoImage.unverified }
        }
        return images
    }

    /// Up to version 1.3.0 the API server filled `updateStrategy: semver` into each block of settings.
    private mutating func noteDefaults(of updater: ArgoImageUpdater) {
        for reference in updater.references where !reference.usesAnnotations {
            for image in reference.images where image.hasSettings && image.settings.strategy == nil {
                let inherited = image.settings.inheriting(reference.settings.inheriting(updater.settings)).strategy
                guard let inherited, inherited != "semver" else { continue }
                decide(
                    "\(image.location) \(updater.description)",
                    "the image '\(image.alias)' inherits updateStrategy \(inherited); Argo CD Image Updater up to 1.3.0 "
                        + "takes semver there", remedy: "write updateStrategy in the image's own commonUpdateSettings")
            }
        }
    }

    /// What several resources say of one Application: the same counts once, different things not at all.
    private mutating func arbitrated(_ images: [ArgoImage]) -> [ArgoImage] {
        var result: [ArgoImage] = []
        for image in images {
            let others = images.filter { $0.decider != image.decider && $0.collides(with: image) }
            guard let other = others.first(where: { !$0.isSame(as: image) }) else {
                if !result.contains(where: { $0.decider != image.decider && $0.isSame(as: image) }) {
                    result.append(image)
                }
                continue
            }
            decide(
                "\(Self.name(of: image.application)) \(image.alias)",
                "not updated: \([image, other].map(Self.decider).sorted().joined(separator: " and ")) "
                    + "say different things about it", remedy: "let one of them take the Application")
        }
        return result
    }

    private static func decider(of image: ArgoImage) -> String {
        switch image.decider {
        case .annotations: "its annotations"
        case .updater(let name): name
        }
    }
}
