import Diagnostics
import ManifestUpdater
import OCI
import RegistryPoller

/// Argo CD Image Updater's annotations on the applications that the repository holds.
///
/// Where the updater would patch the live application (`write-back-method: argocd`, its default), the application's manifest
/// is edited: the repository is the truth.
extension Reconciler {
    func follow(
        _ application: ArgoApplication, _ choices: inout [Choice], _ sources: inout ImageSources, in cycle: inout Cycle
    ) async {
        let name = "\(application.file):\(application.location.line) \(application.workload)"
        let (images, wrong) = application.images
        for text in wrong {
            cycle.decide(name, "not updated: '\(text)' in image-list is no image")
        }
        for image in images {
            let subject = "\(name) \(image.alias ?? image.name)"
            do {
                var known = sources
                let outcome = try await cycle.phase(.select, subject: subject) {
                    try await follow(image, of: application, &known)
                }
                sources = known
                switch outcome {
                case .left(let reason): cycle.decide(subject, reason)
                case .chosen(let choice): choices.append(choice)
                }
            } catch {
                cycle.fail(error)
            }
        }
    }

    private func follow(
        _ image: ArgoApplication.Image, of application: ArgoApplication, _ sources: inout ImageSources
    ) async throws(AgentError) -> Outcome {
        let (policy, isDigest) = try Self.policy(of: image, application)
        let place: ArgoPlace
        switch try await self.place(of: image, application) {
        case .left(let reason): return .left(reason)
        case .found(let found): place = found
        }
        let old = try await written(at: place)
        let location = try Self.location(image.name, at: application.location)
        var question = ImageQuestion(
            image: ImageLocation(repository: location.repository, tag: old?.tag), policy: policy)
        question.needsDigest = isDigest || old?.digest != nil
        let platforms = application.option("platforms", of: image) ?? ""
        question.platforms = try Self.platforms(
            platforms.split(separator: ",").map { $0.filter { !$0.isWhitespace } }, at: application.location)
        let answer = try await ask(question, &sources)
        guard let tag = answer.tag else { return .left("not updated: \(answer.reason)") }
        var new = ImageText(name: image.name, tag: tag)
        if question.needsDigest {
            guard let digest = answer.digest else { return .left("not updated: the digest of \(new) is not known") }
            new.digest = digest.description
        }
        if let old, old.tag == new.tag, old.digest == new.digest, old.name.isEmpty || old.name == new.name {
            return .left("nothing to update: \(tag) runs already and is \(answer.reason)")
        }
        return .chosen(
            Choice(place: .argo(place, old: old), tag: tag, newImage: new.description, reason: answer.reason))
    }

    private func written(at place: ArgoPlace) async throws(AgentError) -> ImageText? {
        guard let tree = await tools.index.current, let entry = tree.file(place.file) else { return nil }
        return ManifestUpdater.image(at: place, in: try await tools.mirror.read(entry))
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
        let policy = try checked(application.location) { () throws(PolicyError) in try ImagePolicy(complete) }
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
    ) async throws(AgentError) -> Found {
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
        let tree = await tools.index.current
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
            return .left("not updated: it is written back to another repository, \(RepositoryMirror.shown(url))")
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

    private static func isChart(_ path: String, _ tree: RevisionTree?) -> Bool {
        tree?.file(path.isEmpty ? "Chart.yaml" : path + "/Chart.yaml") != nil
    }

    /// The kustomization of a folder, or the path itself when it is one.
    private static func kustomization(in path: String, _ tree: RevisionTree?) -> String? {
        if UpdateRequest.isKustomization(path), tree?.file(path) != nil { return path }
        return ["kustomization.yaml", "kustomization.yml", "Kustomization"].lazy
            .map { path.isEmpty ? $0 : "\(path)/\($0)" }.first { tree?.file($0) != nil }
    }

    // MARK: Rewrite

    /// Writes the choices for Argo's places in one file; one that says meanwhile something else is left to the person who
    /// wrote it.
    func rewrite(argo choices: [Choice], file: String, _ bytes: [UInt8]?, _ edits: inout Edits) {
        var places: [(ArgoPlace, ImageText)] = []
        var updates: [CycleReport.Update] = []
        for choice in choices {
            guard case .argo(let place, let old) = choice.place else { continue }
            guard bytes.flatMap({ ManifestUpdater.image(at: place, in: $0) }) == old else {
                edits.decisions.append(
                    CycleReport.Decision(
                        subject: "\(file) \(place.application) \(place.image)", reason: "somebody changed it meanwhile")
                )
                continue
            }
            let new = ImageText(choice.newImage)
            places.append((place, new))
            updates.append(
                CycleReport.Update(
                    file: file, line: 1, workload: place.application.description, container: place.image,
                    old: old.map { $0.name.isEmpty ? ImageText(name: new.name, tag: $0.tag).description : "\($0)" }
                        ?? "",
                    new: choice.newImage, reason: choice.reason, kind: place.application.kind))
        }
        guard !places.isEmpty else { return }
        let update = ManifestUpdater.update(bytes, file: file, places: places)
        for skip in update.skipped {
            edits.decisions.append(
                CycleReport.Decision(
                    subject: "\(file)\(skip.line.map { ":\($0)" } ?? "") \(skip.object) \(skip.container)",
                    reason: "not rewritten: \(skip.reason)"))
        }
        guard let new = update.bytes else { return }
        edits.files[file] = new
        for var one in updates {
            let changes = update.changes.filter { $0.object == one.workload && $0.container == one.container }
            guard let first = changes.first ?? update.changes.first(where: { $0.object == one.workload }) else {
                continue
            }
            one.line = first.line
            edits.updates.append(one)
        }
    }
}

extension Reconciler.Choice {
    /// Whether the file may come into being by this choice.
    var mayMakeFile: Bool {
        guard case .argo(let place, _) = place else { return false }
        return place.holder == .overrides
    }
}
