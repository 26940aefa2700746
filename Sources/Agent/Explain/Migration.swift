import Git
package import ManifestUpdater

/// What a repository asks of the tools that it comes from, what becomes of it, and the agent's configuration to write.
package struct Migration: Codable, Sendable {
    /// One feature, with where it is used.
    package struct Use: Codable, Sendable, Equatable {
        package var tool: MigrationFinding.Tool
        package var feature: String
        package var verdict: MigrationFinding.Verdict
        package var note: String
        package var count: Int
        /// The first places, `placeLimit` at most.
        package var places: [String]
    }

    /// By tool, then what needs a person first.
    package private(set) var uses: [Use] = []
    /// YAML for the agent's configuration file.
    package private(set) var configuration = ""

    private static let placeLimit = 5

    init(
        _ findings: [MigrationFinding], settings: MigrationSettings,
        repository: AgentConfiguration.RepositoryConfiguration
    ) {
        struct Feature: Hashable {
            let tool: MigrationFinding.Tool
            let name: String
        }
        let grouped = Dictionary(grouping: findings) { Feature(tool: $0.tool, name: $0.feature) }
        uses = grouped.values.compactMap { group in
            guard let first = group.first else { return nil }
            return Use(
                tool: first.tool, feature: first.feature, verdict: first.verdict, note: first.note, count: group.count,
                places: group.prefix(Self.placeLimit).map(\.place))
        }.sorted { left, right in
            (Self.rank(left), left.feature) < (Self.rank(right), right.feature)
        }
        configuration = Self.configuration(settings, repository)
    }

    private static func rank(_ use: Use) -> Int {
        let tool = MigrationFinding.Tool.allCases.firstIndex(of: use.tool) ?? 0
        let verdicts: [MigrationFinding.Verdict] = [.missing, .differs, .works]
        return tool * verdicts.count + (verdicts.firstIndex(of: use.verdict) ?? 0)
    }

    private static func configuration(
        _ settings: MigrationSettings, _ repository: AgentConfiguration.RepositoryConfiguration
    ) -> String {
        var lines: [String] = []
        if let interval = settings.interval { lines.append("interval: \(quoted(interval))") }
        var git: [String] = []
        if settings.authorName != nil || settings.authorEmail != nil {
            let name = settings.authorName ?? "Weave Flux"
            let email = settings.authorEmail ?? "support@weave.works"
            git.append("  author: {name: \(quoted(name)), email: \(quoted(email))}")
        }
        var commit: [String] = []
        if let skip = settings.ciSkip { commit.append("ciSkip: \(quoted(skip))") }
        if settings.notes { commit.append("notes: true") }
        if !commit.isEmpty { git.append("  commit: {\(commit.joined(separator: ", "))}") }
        if !git.isEmpty { lines += ["git:"] + git }
        if !settings.insecureHosts.isEmpty {
            lines.append("registries:")
            lines += settings.insecureHosts.map { "  - {host: \(quoted($0)), insecure: true}" }
        }
        lines += [
            "repositories:", "  - name: \(quoted(repository.name))", "    url: \(quoted(repository.url))",
            "    branch: \(quoted(settings.branch ?? repository.branch))",
        ]
        if !settings.paths.isEmpty {
            lines.append("    updates: {paths: [\(settings.paths.map(quoted).joined(separator: ", "))]}")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// In double quotes, with `\` before what would end them. Control characters are left out.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars where scalar.value >= 0x20 && scalar.value != 0x7F {
            if scalar == "\\" || scalar == "\"" { result += "\\" }
            result.unicodeScalars.append(scalar)
        }
        return result + "\""
    }
}

extension Explainer {
    /// Looks through a repository's branch for what the four tools were told there.
    package func migration() async throws(ReconcileError) -> Migration {
        let cycle = CycleRecorder(reconciler.report(dryRun: true)) { _ in }
        let head = try await reconciler.sync(in: cycle)
        return try await cycle.phase(.discover) {
            let git = reconciler.services.git
            let tree = try await git.revisions.tree(of: head.commit)
            let files = RevisionFiles(tree: tree, remote: git.remote)
            var findings: [MigrationFinding] = []
            var settings = MigrationSettings()
            for entry in tree.entries where UpdateRequest.isManifest(entry.path) && tree.file(entry.path) != nil {
                if entry.path.split(separator: "/").last == ".flux.yaml" {
                    findings.append(
                        MigrationFinding(
                            .flux1, ".flux.yaml", .missing,
                            note:
                                "commands of a repository are not run: keep the manifests in git, or follow a kustomization's images",
                            place: entry.path))
                }
                guard let bytes = try? await files.read(entry.path, limit: RevisionCache.manifestLimit) else {
                    continue
                }
                let survey = MigrationSurvey(file: entry.path, bytes: bytes)
                findings += survey.findings
                if survey.settings != MigrationSettings() { settings = survey.settings }
            }
            return Migration(findings, settings: settings, repository: reconciler.repository)
        }
    }
}
