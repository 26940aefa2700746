import Diagnostics
import YAML

/// Something that a repository asks of one of the four tools which people come from, and what becomes of it here.
package struct MigrationFinding: Codable, Sendable, Equatable {
    package enum Tool: String, Codable, Sendable, CaseIterable {
        case flux1 = "Flux v1"
        case flux2 = "Flux v2"
        case argocd = "Argo CD Image Updater"
        case keel = "Keel"
    }

    package enum Verdict: String, Codable, Sendable, CaseIterable {
        /// As it is.
        case works
        /// It works another way, which the note tells.
        case differs
        case missing
    }

    package var tool: Tool
    /// An annotation's name with `*` for a container or an alias, an object's kind, a field.
    package var feature: String
    package var verdict: Verdict
    package var note: String
    /// `file:line:column`.
    package var place: String

    package init(_ tool: Tool, _ feature: String, _ verdict: Verdict, note: String = "", place: String) {
        self.tool = tool
        self.feature = feature
        self.verdict = verdict
        self.note = note
        self.place = place
    }
}

/// What the tool that is to be replaced was told, as the agent's configuration says it.
package struct MigrationSettings: Sendable, Equatable {
    package var branch: String?
    package var paths: [String] = []
    package var interval: String?
    package var authorName: String?
    package var authorEmail: String?
    package var ciSkip: String?
    package var notes = false
    package var insecureHosts: [String] = []

    package init() {}
}

/// What one file asks of the four tools.
package struct MigrationSurvey: Sendable {
    package private(set) var findings: [MigrationFinding] = []
    /// From the flags of a fluxd in the file.
    package private(set) var settings = MigrationSettings()

    private static let words = [
        "fluxcd.io", "flux.weave.works", "$imagepolicy", "keel.sh/", "argocd-image-updater", "argoproj.io",
        "fluxcd/flux", "weaveworks/flux",
    ]

    /// A file that is not YAML asks for nothing.
    package init(file: String, bytes: [UInt8]) {
        guard Self.words.contains(where: { ManifestScan.contains(bytes, $0) }),
            let documents = try? YAMLStream.parse(bytes, file: file)
        else { return }
        let lines = LineIndex(bytes)
        func place(_ node: YAMLNode) -> String { lines.location(of: node.range.lowerBound, in: file).description }
        for document in documents {
            for manifest in document.root.map(Manifest.all) ?? [] {
                for map in ["annotations", "labels"] {
                    for pair in manifest.node["metadata"]?[map]?.mergedPairs ?? [] {
                        guard let key = pair.key.text, let rule = AnnotationRule.rule(for: key) else { continue }
                        findings.append(
                            MigrationFinding(
                                rule.tool, rule.feature, rule.verdict, note: rule.note, place: place(pair.key)))
                    }
                }
                object(manifest, place)
                for container in manifest.containers { fluxd(container, place) }
            }
        }
        for target in ManifestScan.scan(documents, file: file, bytes: bytes).targets where target.isMarker {
            findings.append(
                MigrationFinding(.flux2, "marker # {\"$imagepolicy\": …}", .works, place: target.location.description))
        }
    }

    private mutating func object(_ manifest: Manifest, _ place: (YAMLNode) -> String) {
        let (group, kind) = (manifest.node["apiVersion"]?.text ?? "", manifest.kind)
        func add(
            _ tool: MigrationFinding.Tool, _ feature: String, _ verdict: MigrationFinding.Verdict, _ note: String,
            at node: YAMLNode?
        ) {
            findings.append(MigrationFinding(tool, feature, verdict, note: note, place: place(node ?? manifest.node)))
        }
        let spec = manifest.node["spec"]
        if group.hasPrefix("image.toolkit.fluxcd.io/") {
            add(
                .flux2, kind, .works,
                kind == "ImageUpdateAutomation"
                    ? "'slipway plan' names fields that are not obeyed; the agent's own 'git:' goes first" : "",
                at: nil)
            guard kind == "ImageRepository" else { return }
            for (key, note) in [
                ("secretRef", "credentials are the agent's own: 'dockerConfig'"),
                ("certSecretRef", "certificates are the agent's own: 'registries: [{host, caFile, clientCert}]'"),
                ("proxySecretRef", "a proxy is the agent's own: 'registries: [{host, proxy}]'"),
                ("insecure", "plain HTTP is declared by the agent: 'registries: [{host, insecure: true}]'"),
                ("interval", "the agent looks in its own 'interval'"),
            ] {
                if let node = spec?[key], !node.isNull {
                    add(.flux2, "ImageRepository \(key)", .differs, note, at: node)
                }
            }
        } else if group.hasPrefix("argocd-image-updater.argoproj.io/") {
            add(.argocd, kind, .works, "'slipway plan' names what of it is not obeyed", at: nil)
        } else if group.hasPrefix("argoproj.io/"), kind == "ApplicationSet" {
            add(.argocd, kind, .differs, "only where the template's values are static", at: nil)
        }
    }

    /// The flags of a daemon of Flux v1.
    private mutating func fluxd(_ container: YAMLNode, _ place: (YAMLNode) -> String) {
        guard let image = container["image"], let name = image.text.map({ WrittenReference($0).name }),
            name.hasSuffix("fluxcd/flux") || name.hasSuffix("weaveworks/flux")
        else { return }
        for node in (container["command"]?.items ?? []) + (container["args"]?.items ?? []) {
            guard let text = node.text, text.hasPrefix("--") else { continue }
            let parts = text.dropFirst(2).split(separator: "=", maxSplits: 1).map(String.init)
            let value = parts.count == 2 ? parts[1] : "true"
            guard let flag = parts.first, let (verdict, note) = take(flag, value) else { continue }
            findings.append(MigrationFinding(.flux1, "fluxd --\(flag)", verdict, note: note, place: place(node)))
        }
    }

    private mutating func take(_ flag: String, _ value: String) -> (MigrationFinding.Verdict, String)? {
        let isConfigured = (MigrationFinding.Verdict.differs, "see the configuration below")
        switch flag {
        case "git-branch": settings.branch = value
        case "git-path": settings.paths += value.split(separator: ",").map { "\($0)/**" }
        case "git-poll-interval", "sync-interval", "automation-interval": settings.interval = settings.interval ?? value
        case "git-user": settings.authorName = value
        case "git-email": settings.authorEmail = value
        case "git-ci-skip": settings.ciSkip = value == "true" ? "[ci skip]" : nil
        case "git-ci-skip-message": settings.ciSkip = value
        case "git-notes-ref": settings.notes = true
        case "registry-insecure-host": settings.insecureHosts += value.split(separator: ",").map(String.init)
        case "git-url": return (.differs, "'url' of the repository in the configuration")
        case "manifest-generation": return (.missing, "commands of a repository are not run")
        case "git-signing-key": return (.differs, "'git.commit.signing' names a key's file")
        case "git-verify-signatures", "git-verify-signatures-mode": return (.differs, "'git.verify.mode'")
        case "git-readonly": return (.differs, "'updates: {enabled: false}'")
        case "registry-exclude-image", "registry-include-image":
            return (.missing, "only images of automated workloads are looked at: take the annotation away")
        case "sync-garbage-collection", "sync-state": return (.missing, "nothing is applied to a cluster by it")
        default:
            return flag.hasPrefix("memcached") || flag.hasPrefix("registry") || flag.hasPrefix("git")
                ? (.missing, "not needed, or not there: 'slipway agent --help'") : nil
        }
        return isConfigured
    }
}
