import Diagnostics
import ManifestUpdater
import OCI

/// Where Argo CD Image Updater would write an Application's image.
struct ArgoPlaceFinder: Sendable {
    let repository: AgentConfiguration.RepositoryConfiguration
    /// The revision that the applications are of.
    let tree: RevisionTree
    /// Whether changes go to a branch where people look at them before they are merged.
    let goesToBranch: Bool
    /// What each Application calls its images, by their names.
    let aliases: [WorkloadID: [String: String]]

    init(
        _ images: [ArgoImage], repository: AgentConfiguration.RepositoryConfiguration, tree: RevisionTree,
        goesToBranch: Bool
    ) {
        self.repository = repository
        self.tree = tree
        self.goesToBranch = goesToBranch
        var aliases: [WorkloadID: [String: String]] = [:]
        for image in images { aliases[image.application.workload, default: [:]][image.image.name] = image.alias }
        self.aliases = aliases
    }

    enum Found {
        case found(ArgoPlace)
        case left(String)
    }

    /// What `writeBackTarget` asks for.
    private enum Target: Equatable {
        /// Parameters, or Kustomize's images, of the source, in a file; `nil` for `.argocd-source-NAME.yaml`.
        case overrides(file: String?)
        /// A directory, relative to the source's path or from the root (`/x`).
        case kustomization(Substring)
        case values(Substring)
    }

    private typealias Source = ArgoApplication.Source

    func place(of item: ArgoImage) throws(AgentError) -> Found {
        let application = item.application
        let method = item.writeBack.method ?? "argocd"
        let isGit = method == "git" || method.hasPrefix("git:")
        guard isGit || method == "argocd" else {
            throw refuse(item, "unknown write-back method '\(method)'", "use argocd or git")
        }
        let target = try isGit ? target(of: item) : .overrides(file: nil)
        guard let source = chosenSource(of: item, target) else {
            return .left("not updated: the Application has no source of Helm, Kustomize or a plugin")
        }
        // Of another repository or branch, what lies in a path is not known.
        if isGit, let reason = foreign(item, source) { return .left(reason) }
        if isPlainDirectory(source, target) {
            return .left(
                "not updated: its source is a plain directory, which Argo CD Image Updater does not support either")
        }
        let form = try form(of: item, source, target)
        func place(_ file: String, _ holder: ArgoPlace.Holder) -> Found {
            .found(
                ArgoPlace(file: file, holder: holder, form: form, application: application.workload, image: item.alias))
        }
        guard isGit else {
            if let set = application.applicationSet {
                return .left(
                    "not updated: \(set) makes this Application and would put a changed one back; use the method 'git'")
            }
            return place(application.file, .application(application.workload, source: source.position))
        }
        // Values beside a chart of a chart repository are counted from the root.
        let path = source.path ?? ""
        switch target {
        case .kustomization(let text):
            let folder = Self.resolved(text, in: path)
            guard let file = Self.kustomization(in: folder, tree) else {
                throw refuse(item, "there is no kustomization in '\(folder)'", "see the write-back target")
            }
            return place(file, .kustomization)
        case .values(let text): return place(Self.resolved(text.isEmpty ? "values.yaml" : text, in: path), .values)
        case .overrides(let file?): return place(file, .overrides)
        case .overrides(nil):
            guard source.path != nil else {
                return .left(
                    "not updated: its source is a chart of a chart repository and has no path in git for "
                        + ".argocd-source-\(application.workload.name).yaml; write the values by helmvalues:/FILE")
            }
            return place(Self.resolved(".argocd-source-\(application.workload.name).yaml", in: path), .overrides)
        }
    }

    private func refuse(_ item: ArgoImage, _ summary: String, _ hint: String) -> AgentError {
        AgentError(summary, place: item.location.description, hint: hint)
    }

    // MARK: Target

    private func target(of item: ArgoImage) throws(AgentError) -> Target {
        let text = item.writeBack.target ?? ""
        if text.isEmpty { return .overrides(file: nil) }
        for (word, make) in [
            ("kustomization", Target.kustomization), ("helmvalues", Target.values),
        ] as [(String, (Substring) -> Target)] where text == word || text.hasPrefix("\(word):") {
            return make(text.dropFirst(word.count + 1))
        }
        // Any other text is a file from the root.
        let file = Self.resolved(text[...], in: "")
        if UpdateRequest.isKustomization(file) {
            throw refuse(
                item, "the write-back target '\(text)' names a kustomization as a file of parameter overrides",
                "write kustomization:/\(file.split(separator: "/").dropLast().joined(separator: "/"))")
        }
        guard file.hasSuffix(".yaml") || file.hasSuffix(".yml") else {
            throw refuse(
                item, "unknown write-back target '\(text)'",
                "use kustomization[:PATH], helmvalues[:PATH] or a YAML file from the repository's root")
        }
        return .overrides(file: file)
    }

    /// `/x` is seen from the top of the repository.
    private static func resolved(_ text: Substring, in path: String) -> String {
        var result: [Substring] = []
        let whole = (text.hasPrefix("/") ? "" : path + "/") + text
        for part in whole.split(separator: "/") where part != "." {
            if part == ".." { _ = result.popLast() } else { result.append(part) }
        }
        return result.joined(separator: "/")
    }

    // MARK: Source

    private enum Kind { case helm, kustomize, plugin }

    /// The kind that a target asks for, whatever the sources are.
    private func kind(of item: ArgoImage, _ target: Target) -> Kind? {
        switch target {
        case .kustomization: return .kustomize
        case .values: return .helm
        case .overrides(let file?):
            let name = file.split(separator: "/").last ?? ""
            if !name.hasPrefix(".argocd-source-") { return .helm }
        case .overrides(nil): break
        }
        if case .plugin = item.target { return .plugin }
        return nil
    }

    private func kind(of source: Source) -> Kind? {
        if source.hasKustomize { return .kustomize }
        if source.hasHelm || source.isChart { return .helm }
        if source.hasPlugin { return .plugin }
        guard let path = source.path, source.reference == nil || !path.isEmpty else { return nil }
        if Self.kustomization(in: path, tree) != nil { return .kustomize }
        return tree.file(path.isEmpty ? "Chart.yaml" : path + "/Chart.yaml") != nil ? .helm : nil
    }

    /// The source whose parameters are set: the one that has them already, else the first of the kind that is wanted. One
    /// that only lends its values files is none.
    private func chosenSource(of item: ArgoImage, _ target: Target) -> Source? {
        let sources = item.application.sources
        guard sources.count > 1 else { return sources.first }
        let wanted = kind(of: item, target)
        let candidates = sources.filter { source in
            wanted == nil || kind(of: source) == wanted
                // The kind of another repository's path is not known.
                || kind(of: source) == nil && source.path != nil && source.reference == nil
        }
        return candidates.first { has($0, item) }
            ?? candidates.first {
                switch wanted {
                case .helm: $0.hasHelm
                case .kustomize: $0.hasKustomize
                case .plugin: $0.hasPlugin
                case nil: $0.hasHelm || $0.hasKustomize || $0.hasPlugin
                }
            } ?? candidates.first { kind(of: $0) != nil } ?? candidates.first { $0.reference == nil }
            ?? (wanted == .helm ? sources.first : nil)
    }

    /// Whether the parameters or images that are to be set stand in a source already.
    private func has(_ source: Source, _ item: ArgoImage) -> Bool {
        var names: [String?] = []
        var original = item.kustomizeName ?? item.image.name
        switch item.target {
        case .helm(let name, let tag, let spec): names = spec != nil ? [spec] : [name, tag]
        case .kustomize(let name): original = name
        case .plugin: return source.hasPlugin
        case nil: names = ["image.name", "image.tag"]
        }
        return names.contains { $0.map(source.parameters.contains) ?? false } || source.images.contains(original)
    }

    private func isPlainDirectory(_ source: Source, _ target: Target) -> Bool {
        if source.hasHelm || source.hasKustomize || source.hasPlugin || source.isChart { return false }
        if source.hasDirectory { return true }
        guard case .overrides(nil) = target, isThisRepository(source.repository), let path = source.path,
            tree.isDirectory(path)
        else { return false }
        return kind(of: source) == nil
    }

    private func form(of item: ArgoImage, _ source: Source, _ target: Target) throws(AgentError) -> ArgoPlace.Form {
        let kind = kind(of: item, target) ?? kind(of: source) ?? .helm
        if kind == .plugin || { if case .plugin = item.target { true } else { false } }() {
            guard case .plugin(let name, let tag, let spec) = item.target else {
                throw refuse(
                    item, "the source is a plugin's, and nothing says which variables hold '\(item.image.name)'",
                    "write manifestTargets.plugin")
            }
            guard target != .kustomization(""), kind == .plugin else {
                throw refuse(item, "a plugin's variables cannot be written to this write-back target", "leave it out")
            }
            return .plugin(name: name, tag: tag, spec: spec)
        }
        if kind == .kustomize {
            if case .kustomize(let name) = item.target { return .kustomize(original: name) }
            return .kustomize(original: item.kustomizeName ?? item.image.name)
        }
        guard case .helm(let name, let tag, let spec) = item.target else {
            return .helm(name: "image.name", tag: "image.tag")
        }
        if let spec { return .helmSpec(spec) }
        if case .values = target {
            guard let name, let tag else {
                throw refuse(
                    item, "helmvalues needs both the name's and the tag's place of '\(item.alias)'",
                    "say helm.image-name and helm.image-tag, or helm.image-spec")
            }
            return .helm(name: name, tag: tag)
        }
        return .helm(name: name ?? "image.name", tag: tag ?? "image.tag")
    }

    /// The kustomization of a folder, or the path itself when it is one.
    private static func kustomization(in path: String, _ tree: RevisionTree) -> String? {
        if UpdateRequest.isKustomization(path), tree.file(path) != nil { return path }
        return ["kustomization.yaml", "kustomization.yml", "Kustomization"].lazy
            .map { path.isEmpty ? $0 : "\(path)/\($0)" }.first { tree.file($0) != nil }
    }

    // MARK: Repository and branch

    /// The branch beside the base to which an image's changes go (`base:topic`), in the updater's words; `nil` where they go to
    /// the watched branch.
    func writeBack(of item: ArgoImage) -> WriteBack? {
        guard let method = item.writeBack.method, method == "git" || method.hasPrefix("git:"),
            let branch = item.writeBack.branch, let colon = branch.firstIndex(of: ":"),
            branch.index(after: colon) < branch.endIndex
        else { return nil }
        let application = item.application
        var result = WriteBack(
            subject: "Application \(application.workload.namespace)/\(application.workload.name)",
            location: application.location,
            automation: "\(application.workload.namespace)/\(application.workload.name)")
        result.branch = String(branch[branch.index(after: colon)...])
        result.message =
            "build: automatic update of \(application.workload.name.filter { $0 != "{" })\n\n"
            + "{{ range .AppChanges -}}\nupdates image {{ .Image }} tag '{{ .OldTag }}' to '{{ .NewTag }}'\n{{ end -}}\n"
        result.aliases = aliases[application.workload] ?? [:]
        return result
    }

    private func isThisRepository(_ url: String) -> Bool {
        KanikoDiscovery.isSameRepository(url, as: [repository.url] + repository.aliases)
    }

    /// Why the image is not to be written to this repository's branch; `nil` when it is.
    private func foreign(_ item: ArgoImage, _ source: Source) -> String? {
        let sources = item.application.sources
        // A chart's values lie where a source lends them.
        let lender =
            source.path == nil ? sources.first { $0.reference != nil && isThisRepository($0.repository) } : nil
        let url = item.writeBack.repository ?? lender?.repository ?? source.repository
        guard isThisRepository(url) else {
            return "not updated: it is written back to another repository, \(ShownURL.text(url))"
        }
        if item.writeBack.asksForPullRequest ?? false, !goesToBranch {
            return "not updated: it asks for a pull request; set git.pullRequest in the agent's configuration"
        }
        let branch = (item.writeBack.branch ?? "").split(
            separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let named = branch.first.map(String.init) ?? ""
        if branch.count > 1 {
            if branch[1].contains(":") {
                return "not updated: its branch '\(item.writeBack.branch ?? "")' has two colons"
            }
            if goesToBranch {
                return
                    "not updated: it asks for commits on the branch '\(branch[1])', and the agent's git.push.branch says "
                    + "another one; take one of them away"
            }
        }
        if !named.isEmpty {
            return named == repository.branch
                ? nil : "not updated: its branch is '\(named)', and '\(repository.branch)' is watched"
        }
        let revision = (sources.first { isThisRepository($0.repository) } ?? source).revision
        guard revision.isEmpty || revision == "HEAD" || revision == repository.branch else {
            return "not updated: its targetRevision is '\(revision)', and '\(repository.branch)' is watched"
        }
        return nil
    }
}
