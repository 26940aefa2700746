import Dockerfile
import RegistryPoller
import YAML

/// Configuration of another tool in the repository: Renovate's or updatecli's, which commit to files that the agent follows, too,
/// or Flux v1's generation of manifests, which is not done here.
struct RivalConfiguration: Sendable {
    private enum Tool: Sendable {
        case renovate([Manager])
        /// The files that its targets name.
        case updatecli(Set<String>)
        /// What `.flux.yaml` asks for: `commandUpdated`, `patchUpdated`.
        case fluxGeneration(String)
    }

    /// One of Renovate's, with the files that it looks at.
    private struct Manager: Sendable {
        let name: String
        let patterns: [FilePattern]
    }

    let file: String
    private let tool: Tool
    /// Renovate's `ignorePaths`.
    private var ignored: [FilePattern] = []

    /// A configuration beyond this size is none.
    static let sizeLimit = 1 << 20

    private static let renovateFiles: Set<String> = [
        "renovate.json", "renovate.json5", ".renovaterc", ".renovaterc.json", ".renovaterc.json5",
        ".github/renovate.json",
        ".github/renovate.json5", ".gitlab/renovate.json", ".gitlab/renovate.json5",
    ]

    /// Whether a file of this path is one of a tool that is known here.
    static func mayBe(_ path: String) -> Bool {
        renovateFiles.contains(path) || isUpdatecli(path) || path == ".flux.yaml" || path.hasSuffix("/.flux.yaml")
    }

    private static func isUpdatecli(_ path: String) -> Bool {
        path == "updatecli.yaml" || path == "updatecli.yml"
            || (path.hasPrefix("updatecli.d/") || path.hasPrefix("updatecli/"))
                && [".yaml", ".yml", ".tpl"].contains(where: path.hasSuffix)
    }

    /// - Returns: `nil` for what asks for nothing that concerns the agent, or cannot be read.
    init?(file: String, bytes: [UInt8]) {
        self.file = file
        guard let root = (try? YAMLStream.parse(bytes, file: file))?.first?.root, root.pairs != nil else {
            return nil
        }
        if Self.renovateFiles.contains(file) {
            if root["enabled"]?.text == "false" { return nil }
            tool = .renovate(Self.managers(of: root))
            ignored = Self.texts(root["ignorePaths"]).map { FilePattern(glob: $0) }
        } else if Self.isUpdatecli(file) {
            tool = .updatecli(Self.targets(of: root))
        } else {
            guard let word = ["commandUpdated", "patchUpdated"].first(where: { root[$0] != nil }) else { return nil }
            tool = .fluxGeneration(word)
        }
    }

    /// What is to be said, where these files are followed.
    func decision(following followed: [String]) -> CycleReport.Decision? {
        switch tool {
        case .fluxGeneration(let word):
            return CycleReport.Decision(
                subject: file,
                reason:
                    "'\(word)' is not obeyed: commands of a repository are not run, and manifests that they would generate are "
                    + "not updated",
                remedy: "keep the manifests themselves in git, or a kustomization whose 'images' are followed")
        case .updatecli(let files):
            return decision("updatecli", followed.filter(files.contains), remedy: "take the target out of \(file)")
        case .renovate(let managers):
            let open = followed.filter { path in !ignored.contains { $0.matches(path) } }
            for manager in managers {
                let both = open.filter { path in manager.patterns.contains { $0.matches(path) } }
                if let decision = decision(
                    "Renovate (manager '\(manager.name)')", both, remedy: "name it under 'ignorePaths' in \(file)")
                {
                    return decision
                }
            }
            return nil
        }
    }

    private func decision(_ who: String, _ both: [String], remedy: String) -> CycleReport.Decision? {
        guard !both.isEmpty else { return nil }
        let rest = both.count > 3 ? " and \(both.count - 3) more" : ""
        return CycleReport.Decision(
            subject: file,
            reason:
                "\(who) writes \(both.prefix(3).joined(separator: ", "))\(rest), too, which the agent follows: each would "
                + "commit what it chooses",
            remedy: "\(remedy), or leave the file out of the agent's 'updates.paths'")
    }

    // MARK: Renovate

    /// The managers that look at files without being asked to, as its documentation lists them.
    private static let defaults = [
        ("kustomize", #"(^|/)kustomization\.ya?ml$"#), ("helm-values", #"(^|/)values\.ya?ml$"#),
    ]

    /// Those that write images into manifests.
    private static let names = ["kustomize", "helm-values", "kubernetes", "argocd", "flux", "helmfile"]

    private static func managers(of root: YAMLNode) -> [Manager] {
        let enabled = root["enabledManagers"].map { Set(texts($0)) }
        // A rule that names managers alone, and turns them off.
        let off = Set(
            (root["packageRules"]?.items ?? []).filter { rule in
                rule["enabled"]?.text == "false"
                    && (rule.pairs ?? []).allSatisfy {
                        ["enabled", "matchManagers", "description"].contains($0.key.text ?? "")
                    }
            }.flatMap { texts($0["matchManagers"]) })
        var managers: [Manager] = []
        for name in names where (enabled?.contains(name) ?? true) && !off.contains(name) {
            let own = root[name]
            if own?["enabled"]?.text == "false" { continue }
            let patterns =
                defaults.filter { $0.0 == name }.map { FilePattern(expression: $0.1) } + patterns(of: own)
            if !patterns.isEmpty { managers.append(Manager(name: name, patterns: patterns)) }
        }
        for key in ["customManagers", "regexManagers"] {
            let isOn =
                enabled.map { $0.contains("custom.regex") || $0.contains("regex") || $0.contains("custom") } ?? true
            for own in isOn ? root[key]?.items ?? [] : [] {
                managers.append(Manager(name: "custom.regex", patterns: patterns(of: own)))
            }
        }
        return managers
    }

    private static func patterns(of manager: YAMLNode?) -> [FilePattern] {
        texts(manager?["fileMatch"]).map { FilePattern(expression: $0) }
            + texts(manager?["managerFilePatterns"]).map { text in
                text.count > 2 && text.hasPrefix("/") && text.hasSuffix("/")
                    ? FilePattern(expression: String(text.dropFirst().dropLast())) : FilePattern(glob: text)
            }
    }

    private static func texts(_ node: YAMLNode?) -> [String] {
        guard let node else { return [] }
        return (node.items ?? [node]).prefix(1_000).compactMap(\.text)
    }

    // MARK: updatecli

    private static func targets(of root: YAMLNode) -> Set<String> {
        var files: Set<String> = []
        for pair in root["targets"]?.mergedPairs ?? [] {
            let spec = pair.value["spec"]
            var named = texts(spec?["file"]) + texts(spec?["files"])
            // A chart's values lie in its directory.
            if pair.value["kind"]?.text == "helmchart", let chart = spec?["name"]?.text {
                named = (named.isEmpty ? ["values.yaml"] : named).map { "\(chart)/\($0)" }
            }
            files.formUnion(named.map { $0.hasPrefix("./") ? String($0.dropFirst(2)) : $0 })
        }
        return files
    }
}

/// Which paths a tool looks at. What cannot be read as a pattern matches nothing.
private struct FilePattern: Sendable {
    private enum Kind: Sendable {
        case expression(RegularExpression)
        case glob(IgnoreMatcher)
        case nothing
    }

    private let kind: Kind

    init(expression: String) { kind = (try? RegularExpression(expression)).map { .expression($0) } ?? .nothing }

    init(glob: String) { kind = (try? IgnoreMatcher(patterns: [glob])).map { .glob($0) } ?? .nothing }

    func matches(_ path: String) -> Bool {
        switch kind {
        case .expression(let expression): expression.matches(path)
        case .glob(let matcher): matcher.excludes(path)
        case .nothing: false
        }
    }
}
