import Dockerfile
package import Git
package import ManifestUpdater

/// What is known of the files of a repository by the id of their content: a file that did not change since the last
/// cycle is neither read nor parsed again.
package actor ManifestIndex {
    private struct Key: Hashable {
        let path: String
        let id: ObjectID
    }

    /// Scans of YAML files, and whether a file speaks of kaniko.
    private var scans: [Key: ScanResult] = [:]
    private var kaniko: [Key: [UInt8]?] = [:]
    private var lastTree: RevisionTree?

    /// The tree that was asked for last.
    package var current: RevisionTree? { lastTree }

    package init() {}

    /// Manifests beyond this size are not looked at.
    private static let manifestLimit = 8 << 20

    package func tree(of revision: Commit, in mirror: RepositoryMirror) async throws(AgentError) -> RevisionTree {
        if let lastTree, lastTree.revision.id == revision.id { return lastTree }
        do {
            let tree = RevisionTree(
                revision: revision, entries: try await mirror.git.entries(of: revision.id, recursive: true))
            lastTree = tree
            return tree
        } catch {
            throw AgentError(error.summary, place: error.place, cause: error.cause, hint: error.hint)
        }
    }

    package struct Scan: Sendable {
        package var targets: [ImageTarget] = []
        package var imagePolicies: [FluxImagePolicy] = []
        package var imageRepositories: [FluxImageRepository] = []
        package var applications: [ArgoApplication] = []
        package var skipped: [(place: String, reason: String)] = []
    }

    /// The annotated and marked images of the manifests that the patterns name, and the policies' objects of all.
    package func targets(
        in tree: RevisionTree, of mirror: RepositoryMirror, matching patterns: [String]
    ) async throws(AgentError) -> Scan {
        let filter = try Self.filter(patterns)
        var kept: [Key: ScanResult] = [:]
        var scan = Scan()
        for entry in tree.entries where Self.isManifest(entry) {
            let key = Key(path: entry.path, id: entry.id)
            let result: ScanResult
            if let known = scans[key] {
                result = known
            } else {
                result = ManifestScan.scan(
                    file: entry.path, bytes: try await mirror.read(entry, limit: Self.manifestLimit))
            }
            kept[key] = result
            scan.imagePolicies += result.imagePolicies
            scan.imageRepositories += result.imageRepositories
            guard filter(entry.path) else { continue }
            scan.targets += result.targets
            scan.applications += result.applications
            scan.skipped += result.skipped.map { (place: $0.place, reason: $0.reason) }
        }
        scans = kept
        return scan
    }

    /// The files that speak of kaniko, with their content.
    package func kanikoFiles(
        in tree: RevisionTree, of mirror: RepositoryMirror
    ) async throws(AgentError) -> [(path: String, content: [UInt8])] {
        var kept: [Key: [UInt8]?] = [:]
        var files: [(path: String, content: [UInt8])] = []
        for entry in tree.entries where Self.isManifest(entry) {
            let key = Key(path: entry.path, id: entry.id)
            let content: [UInt8]?
            if let known = kaniko[key] {
                content = known
            } else {
                let bytes = try await mirror.read(entry, limit: Self.manifestLimit)
                content = KanikoDiscovery.mayMatter(path: entry.path, bytes: bytes) ? bytes : nil
            }
            kept.updateValue(content, forKey: key)
            if let content { files.append((path: entry.path, content: content)) }
        }
        kaniko = kept
        return files
    }

    private static func isManifest(_ entry: TreeEntry) -> Bool {
        guard entry.mode == .file || entry.mode == .executable else { return false }
        return entry.path.hasSuffix(".yaml") || entry.path.hasSuffix(".yml") || entry.path.hasSuffix(".json")
            || entry.path.hasSuffix("Kustomization")
    }

    /// `updates.paths`: a file is looked at when one of the patterns covers it; no pattern means every file.
    private static func filter(_ patterns: [String]) throws(AgentError) -> (String) -> Bool {
        guard !patterns.isEmpty else { return { _ in true } }
        do {
            let matcher = try IgnoreMatcher(patterns: patterns)
            return { matcher.excludes($0) }
        } catch {
            throw AgentError("updates.paths: \(error.summary)", hint: error.hint)
        }
    }
}
