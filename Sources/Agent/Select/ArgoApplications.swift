import Diagnostics
import ManifestUpdater
import OCI
import RegistryPoller

/// Argo CD Image Updater's annotations on the applications that the repository holds.
///
/// Where the updater would patch the live application (`write-back-method: argocd`, its default), the application's manifest
/// is edited: the repository is the truth.
struct ArgoApplications: UpdateSource {
    let items: [Item]
    let repository: AgentConfiguration.RepositoryConfiguration
    /// The revision that the applications are of.
    let tree: RevisionTree
    let remote: any GitRemote

    /// One image of an application.
    struct Item: Sendable {
        let application: ArgoApplication
        let image: ArgoApplication.Image
    }

    /// - Returns: the images that applications name, and what is wrong in their lists.
    static func items(
        of applications: [ArgoApplication]
    ) -> (items: [Item], wrong: [CycleReport.Decision]) {
        var items: [Item] = []
        var decisions: [CycleReport.Decision] = []
        for application in applications {
            let (images, wrong) = application.images
            for text in wrong {
                decisions.append(
                    CycleReport.Decision(
                        subject: name(of: application), reason: "not updated: '\(text)' in image-list is no image"))
            }
            items += images.map { Item(application: application, image: $0) }
        }
        return (items, decisions)
    }

    private static func name(of application: ArgoApplication) -> String {
        "\(application.file):\(application.location.line) \(application.workload)"
    }

    func subject(of item: Item) -> String {
        "\(Self.name(of: item.application)) \(item.image.alias ?? item.image.name)"
    }

    func decider(of item: Item) -> String? {
        "Argo CD Image Updater's annotations on \(item.application.workload), "
            + "\(item.application.file):\(item.application.location.line)"
    }

    func inquiry(for item: Item) async throws(AgentError) -> Inquiry {
        let (image, application) = (item.image, item.application)
        let (policy, isDigest) = try Self.policy(of: image, application)
        let place: ArgoPlace
        switch try self.place(of: image, application) {
        case .left(let reason): return .left(reason)
        case .found(let found): place = found
        }
        let old = try await written(at: place)
        let location = try Written.location(image.name, at: application.location)
        var question = ImageQuestion(
            image: ImageLocation(repository: location.repository, tag: old?.tag), policy: policy)
        question.needsDigest = isDigest || old?.digest != nil
        let platforms = application.option("platforms", of: image) ?? ""
        question.platforms = try Written.platforms(
            platforms.split(separator: ",").map { $0.filter { !$0.isWhitespace } }, at: application.location)
        return .ask(Inquiry.Asked(question: question, place: .application(place, old: old)))
    }

    func outcome(
        for item: Item, _ asked: Inquiry.Asked, _ chosen: ChosenTag
    ) throws(AgentError) -> SelectionOutcome {
        guard case .application(_, let old) = asked.place else { return .left("no application") }
        let (image, tag) = (item.image, chosen.tag)
        var new = ImageText(name: image.name, tag: tag)
        if asked.question.needsDigest {
            guard let digest = chosen.digest else { return .left("not updated: the digest of \(new) is not known") }
            new.digest = digest.description
        }
        if let old, old.tag == new.tag, old.digest == new.digest, old.name.isEmpty || old.name == new.name {
            return .left("nothing to update: \(tag) runs already and is \(chosen.reason)")
        }
        return .chosen(
            ImageChoice(place: asked.place, tag: tag, newImage: new.description, reason: chosen.reason))
    }

    private func written(at place: ArgoPlace) async throws(AgentError) -> ImageText? {
        guard let entry = tree.file(place.file) else { return nil }
        return ManifestUpdater.image(at: place, in: try await remote.read(entry))
    }

    // MARK: Policy

    private static func policy(
        of image: ArgoApplication.Image, _ application: ArgoApplication
    ) throws(AgentError) -> (policy: ImagePolicy, isDigest: Bool) {
        var specification = PolicySpecification(dialect: .argocd)
        var isDigest = false
        switch application.option("update-strategy", of: image) ?? "semver" {
        case "semver": specification.order = .semver(image.constraint ?? "")
        case "newest-build", "latest": specification.order = .newestBuild
        case "alphabetical", "name": specification.order = .alphabetical("asc")
        case "digest":
            isDigest = true
            specification.order = .digest(image.constraint ?? "latest")
        case let other:
            throw AgentError(
                "'\(other)' is no update strategy", place: application.location.description,
                hint: "there are semver, newest-build, alphabetical and digest")
        }
        switch application.option("allow-tags", of: image) {
        case nil, "any"?: break
        case let text? where text.hasPrefix("regexp:"):
            specification.regexp = String(text.dropFirst("regexp:".count))
        case let text?:
            throw AgentError(
                "allow-tags is '\(text)'", place: application.location.description,
                hint: "write regexp:EXPRESSION or any")
        }
        let ignored = application.option("ignore-tags", of: image) ?? ""
        specification.ignore = ignored.split(separator: ",").map { $0.filter { !$0.isWhitespace } }.filter {
            !$0.isEmpty
        }
        let complete = specification
        let policy = try Written.policy(at: application.location) { () throws(PolicyError) in try ImagePolicy(complete)
        }
        return (policy, isDigest)
    }

    // MARK: Place

    private enum Found {
        case found(ArgoPlace)
        case left(String)
    }

    /// Where the image is written.
    private func place(
        of image: ArgoApplication.Image, _ application: ArgoApplication
    ) throws(AgentError) -> Found {
        func refuse(_ summary: String, _ hint: String) -> AgentError {
            AgentError(summary, place: application.location.description, hint: hint)
        }
        let method = application.annotations["write-back-method"] ?? "argocd"
        let isGit = method == "git" || method.hasPrefix("git:")
        guard isGit || method == "argocd" else {
            throw refuse("'\(method)' is no write-back-method", "there are argocd and git")
        }
        let target = application.annotations["write-back-target"] ?? ""
        let isKustomization = target == "kustomization" || target.hasPrefix("kustomization:")
        let isValues = target == "helmvalues" || target.hasPrefix("helmvalues:")
        if isGit, !target.isEmpty, !isKustomization, !isValues {
            throw refuse(
                "'\(target)' is no write-back-target", "there are kustomization[:PATH] and helmvalues[:PATH]")
        }
        func isKustomize(_ source: ArgoApplication.Source) -> Bool {
            if source.hasKustomize || source.hasHelm { return source.hasKustomize }
            return source.path.map { path in Self.kustomization(in: path, tree) != nil } ?? false
        }
        // Argo takes the first source that is of Helm or Kustomize.
        guard
            let source = application.sources.first(where: {
                isGit && isKustomization || $0.hasHelm || $0.hasKustomize
                    || $0.path.map { Self.isChart($0, tree) } ?? false || isKustomize($0)
            }) ?? (application.sources.count == 1 ? application.sources.first : nil)
        else { return .left("not updated: the application has no source of Helm or Kustomize") }
        let takesKustomize = isKustomization || !isValues && isKustomize(source)
        let form: ArgoPlace.Form
        if takesKustomize {
            form = .kustomize(original: application.own("kustomize.image-name", of: image) ?? image.name)
        } else if let spec = application.own("helm.image-spec", of: image) {
            form = .helmSpec(spec)
        } else {
            let name = application.own("helm.image-name", of: image)
            let tag = application.own("helm.image-tag", of: image)
            if isGit, isValues {
                guard let name, let tag else {
                    throw refuse(
                        "helmvalues needs to know where '\(image.alias ?? image.name)' is written",
                        "annotate helm.image-name and helm.image-tag, or helm.image-spec, of the image's alias")
                }
                form = .helm(name: name, tag: tag)
            } else {
                form = .helm(name: name ?? "image.name", tag: tag ?? "image.tag")
            }
        }
        func place(_ file: String, _ holder: ArgoPlace.Holder) -> Found {
            .found(
                ArgoPlace(
                    file: file, holder: holder, form: form, application: application.workload,
                    image: image.alias ?? image.name))
        }
        guard isGit else {
            return place(application.file, .application(application.workload, source: source.index))
        }
        let urls = [repository.url] + repository.aliases
        let url = application.annotations["git-repository"] ?? source.repository
        guard KanikoDiscovery.isSameRepository(url, as: urls) else {
            return .left("not updated: it is written back to another repository, \(ShownURL.text(url))")
        }
        let branch =
            (application.annotations["git-branch"] ?? "").split(
                separator: ":", maxSplits: 1, omittingEmptySubsequences: false
            ).first.map(String.init) ?? ""
        guard branch.isEmpty || branch == repository.branch else {
            return .left("not updated: its git-branch is '\(branch)', and '\(repository.branch)' is watched")
        }
        guard let path = source.path else { return .left("not updated: its source is a chart and has no path in git") }
        /// `/x` is seen from the top of the repository.
        func resolved(_ text: Substring) -> String {
            let parts = (text.hasPrefix("/") ? "" : path + "/") + text
            var result: [Substring] = []
            for part in parts.split(separator: "/") where part != "." {
                if part == ".." { _ = result.popLast() } else { result.append(part) }
            }
            return result.joined(separator: "/")
        }
        if isKustomization {
            let folder = resolved(target.dropFirst("kustomization:".count))
            guard let file = Self.kustomization(in: folder, tree) else {
                throw refuse("there is no kustomization in '\(folder)'", "see write-back-target")
            }
            return place(file, .kustomization)
        }
        if isValues {
            let text = target.dropFirst("helmvalues:".count)
            return place(resolved(text.isEmpty ? "values.yaml" : text), .values)
        }
        return place(resolved(".argocd-source-\(application.workload.name).yaml"), .overrides)
    }

    private static func isChart(_ path: String, _ tree: RevisionTree) -> Bool {
        tree.file(path.isEmpty ? "Chart.yaml" : path + "/Chart.yaml") != nil
    }

    /// The kustomization of a folder, or the path itself when it is one.
    private static func kustomization(in path: String, _ tree: RevisionTree) -> String? {
        if UpdateRequest.isKustomization(path), tree.file(path) != nil { return path }
        return ["kustomization.yaml", "kustomization.yml", "Kustomization"].lazy
            .map { path.isEmpty ? $0 : "\(path)/\($0)" }.first { tree.file($0) != nil }
    }
}
