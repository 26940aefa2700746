import Blocking
import Dockerfile
package import Git
package import ManifestUpdater

/// What is known of the files of a repository by the id of their content: a file that did not change since the last
/// cycle is neither read nor parsed again, and with nothing new nothing is looked through at all.
package actor ManifestIndex {
    /// What one file says: its images, and its content when it speaks of kaniko.
    private final class Facts: Sendable {
        let scan: ScanResult
        let kaniko: [UInt8]?

        init(scan: ScanResult, kaniko: [UInt8]? = nil) {
            self.scan = scan
            self.kaniko = kaniko
        }
    }

    /// The files that were read last, each entry with what it says; `nil` for those that say nothing.
    private var examined: (tree: RevisionTree, facts: [Facts?])?
    private var lastTree: RevisionTree?
    private var lastScan: (revision: ObjectID, patterns: [String], scan: Scan)?
    private var lastKaniko: (revision: ObjectID, files: [(path: String, content: [UInt8])])?
    private var lastHistory: (revision: ObjectID, history: BranchHistory)?

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

    /// The newest commits of the branch, as far back as order matters.
    func history(of revision: Commit, in mirror: RepositoryMirror) async throws(AgentError) -> BranchHistory {
        if let lastHistory, lastHistory.revision == revision.id { return lastHistory.history }
        let history = try await explained {
            BranchHistory(try await mirror.git.log(from: revision.id, limit: BranchHistory.limit))
        }
        lastHistory = (revision.id, history)
        return history
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
        if let lastScan, lastScan.revision == tree.revision.id, lastScan.patterns == patterns { return lastScan.scan }
        let filter = try Self.filter(patterns)
        let facts = try await examine(tree, mirror)
        var scan = Scan()
        for (entry, known) in zip(tree.entries, facts) {
            guard let result = known?.scan, !result.isEmpty else { continue }
            scan.imagePolicies += result.imagePolicies
            scan.imageRepositories += result.imageRepositories
            guard filter(entry.path) else { continue }
            scan.targets += result.targets
            scan.applications += result.applications
            scan.skipped += result.skipped.map { (place: $0.place, reason: $0.reason) }
        }
        lastScan = (tree.revision.id, patterns, scan)
        return scan
    }

    /// The files that speak of kaniko, with their content.
    package func kanikoFiles(
        in tree: RevisionTree, of mirror: RepositoryMirror
    ) async throws(AgentError) -> [(path: String, content: [UInt8])] {
        if let lastKaniko, lastKaniko.revision == tree.revision.id { return lastKaniko.files }
        let facts = try await examine(tree, mirror)
        var files: [(path: String, content: [UInt8])] = []
        for (entry, known) in zip(tree.entries, facts) {
            if let content = known?.kaniko { files.append((path: entry.path, content: content)) }
        }
        lastKaniko = (tree.revision.id, files)
        return files
    }

    // MARK: Reading

    /// Reads what is new, each file once, several at a time. Files that are gone are forgotten.
    ///
    /// - Returns: for each entry of the tree what it says.
    private func examine(_ tree: RevisionTree, _ mirror: RepositoryMirror) async throws(AgentError) -> [Facts?] {
        if let examined, examined.tree.revision.id == tree.revision.id { return examined.facts }
        var (facts, new) = taken(from: examined, by: tree)
        let workers = new.count < 64 ? 1 : max(1, ProcessorCount.value)
        let entries = new
        let readings = await withTaskGroup(of: [Reading].self) { group in
            for worker in 0..<workers {
                group.addTask {
                    await runBlocking {
                        let reader = try? mirror.git.reader()
                        return stride(from: worker, to: entries.count, by: workers).map {
                            Self.read(tree.entries[entries[$0]], at: entries[$0], by: reader)
                        }
                    }
                }
            }
            var all: [Reading] = []
            for await part in group { all += part }
            return all
        }
        for reading in readings {
            switch reading.content {
            case .facts(let known): facts[reading.place] = known
            // The mirror itself knows what to do with damaged objects.
            case .unreadable:
                let entry = tree.entries[reading.place]
                facts[reading.place] = Self.facts(entry.path, try await mirror.read(entry))
            }
        }
        examined = (tree, facts)
        return facts
    }

    /// Goes along two trees side by side: what is known of the entries that did not change, and the places of the files
    /// that have to be read.
    private func taken(
        from old: (tree: RevisionTree, facts: [Facts?])?, by tree: RevisionTree
    ) -> (facts: [Facts?], new: [Int]) {
        var facts = [Facts?](repeating: nil, count: tree.entries.count)
        var new: [Int] = []
        // Nobody's git writes trees out of order; they are read anew.
        let old = old.flatMap { $0.tree.isSorted && tree.isSorted ? $0 : nil }
        var before = 0
        for (place, entry) in tree.entries.enumerated() {
            if let old {
                let known = old.tree.entries
                while before < known.count, known[before].path != entry.path,
                    RevisionTree.precedes(known[before].path, entry.path)
                { before += 1 }
                if before < known.count, known[before] == entry {
                    facts[place] = old.facts[before]
                    before += 1
                    continue
                }
            }
            if Self.isManifest(entry) { new.append(place) }
        }
        return (facts, new)
    }

    private struct Reading: Sendable {
        enum Content: Sendable {
            case facts(Facts?)
            case unreadable
        }

        var place: Int
        var content: Content
    }

    private static func read(_ entry: TreeEntry, at place: Int, by reader: ObjectReader?) -> Reading {
        guard let reader else { return Reading(place: place, content: .unreadable) }
        do throws(GitError) {
            let bytes = try reader.blob(entry.id, limit: manifestLimit)
            return Reading(place: place, content: .facts(facts(entry.path, bytes)))
        } catch {
            guard error.code == .tooLarge else { return Reading(place: place, content: .unreadable) }
            // Nobody writes such a manifest; it does not stop the others.
            let reason = "not looked at: more than \(manifestLimit >> 20) MiB"
            return Reading(
                place: place, content: .facts(Facts(scan: ScanResult(skipping: entry.path, reason: reason))))
        }
    }

    private static func facts(_ path: String, _ bytes: [UInt8]) -> Facts? {
        let scan = ManifestScan.scan(file: path, bytes: bytes)
        let kaniko = KanikoDiscovery.mayMatter(path: path, bytes: bytes) ? bytes : nil
        return scan.isEmpty && kaniko == nil ? nil : Facts(scan: scan, kaniko: kaniko)
    }

    private static func isManifest(_ entry: TreeEntry) -> Bool {
        (entry.mode == .file || entry.mode == .executable) && UpdateRequest.isManifest(entry.path)
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
