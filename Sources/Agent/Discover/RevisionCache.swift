import Dockerfile
package import Git
package import ManifestUpdater
package import YAML

/// What is known of the revisions of a repository: their trees, histories, and what their files say.
///
/// A file that did not change since it was last looked at is neither read nor parsed again, and a revision that was looked
/// at last costs nothing. What is handed out are values of the revision that was asked for, whatever else is asked meanwhile.
package actor RevisionCache {
    /// What one file says: its images, and its content when it speaks of kaniko.
    private final class Facts: Sendable {
        let scan: ScanResult
        let kaniko: [UInt8]?
        /// Whether nobody knows what it says.
        let isUnread: Bool

        init(scan: ScanResult, kaniko: [UInt8]? = nil, isUnread: Bool = false) {
            self.scan = scan
            self.kaniko = kaniko
            self.isUnread = isUnread
        }
    }

    private let remote: any GitRemote
    /// The files that were read last, each entry with what it says; `nil` for those that say nothing.
    private var examined: (tree: RevisionTree, facts: [Facts?])?
    private var lastTree: RevisionTree?
    private var lastScan: (revision: ObjectID, patterns: [String], scan: Scan)?
    private var lastKaniko: (revision: ObjectID, files: [(path: String, content: [UInt8])])?
    /// The repository's own file, and where it says that custom resources have their images.
    private var lastRules: (file: ObjectID?, rules: [ImagePathRule], problem: YAMLError?) = (nil, [], nil)
    private var lastDeclaration: (file: ObjectID, builds: Result<[Pipeline]?, YAMLError>)?
    private var lastRivals: (revision: ObjectID, found: [RivalConfiguration])?
    private var lastHistory: (revision: ObjectID, history: BranchHistory)?

    package init(_ remote: any GitRemote) { self.remote = remote }

    /// Manifests beyond this size are not looked at.
    static let manifestLimit = UpdateRequest.sizeLimit

    package func tree(of revision: Commit) async throws(AgentError) -> RevisionTree {
        if let lastTree, lastTree.revision.id == revision.id { return lastTree }
        let tree = try await explained {
            RevisionTree(revision: revision, entries: try await remote.entries(of: revision.id))
        }
        lastTree = tree
        return tree
    }

    /// The newest commits of the branch, as far back as order matters.
    package func history(of revision: Commit) async throws(AgentError) -> BranchHistory {
        if let lastHistory, lastHistory.revision == revision.id { return lastHistory.history }
        let history: BranchHistory
        if let last = lastHistory, let newer = try await commits(upTo: revision, from: last.revision),
            last.history.count + newer.count <= BranchHistory.limit + BranchHistory.slack
        {
            history = BranchHistory(newer, onTopOf: last.history)
        } else {
            history = try await explained {
                BranchHistory(
                    try await remote.log(from: revision.id, limit: BranchHistory.limit, notReachableFrom: nil))
            }
        }
        lastHistory = (revision.id, history)
        return history
    }

    /// The commits that lead from one to a later one, newest first; `nil` where there are many, or they are not one after the other.
    private func commits(upTo revision: Commit, from old: ObjectID) async throws(AgentError) -> [Commit]? {
        var commits = [revision]
        while let commit = commits.last, commits.count <= BranchHistory.slack {
            guard commit.parents.count == 1, let parent = commit.parents.first else { return nil }
            if parent == old { return commits }
            commits.append(try await explained { try await remote.commit(parent) })
        }
        return nil
    }

    /// The builds that the repository's own file declares, or what is wrong with it; `nil` when it says nothing of builds.
    package func declaredBuilds(in file: TreeEntry) async throws(AgentError) -> Result<[Pipeline]?, YAMLError> {
        if let lastDeclaration, lastDeclaration.file == file.id { return lastDeclaration.builds }
        let bytes = try await remote.read(file)
        let builds = Result { () throws(YAMLError) in
            try RepositoryFile(bytes).builds?.map { Pipeline(admitting: $0) }
        }
        lastDeclaration = (file.id, builds)
        return builds
    }

    package struct Scan: Sendable {
        package var targets: [ImageTarget] = []
        /// Flux v2's objects with what is known of them.
        package var flux = FluxInventory()
        package var applications: [ArgoApplication] = []
        package var applicationSets: [ArgoApplicationSet] = []
        package var imageUpdaters: [ArgoImageUpdater] = []
        /// Files that may hold Applications and cannot be read.
        package var unreadApplications: [(place: String, reason: String)] = []
        package var skipped: [(place: String, reason: String)] = []
    }

    /// The annotated and marked images of the manifests that the patterns name, and the policies' objects of all.
    ///
    /// - Parameter addresses: the repository's own URLs, by which objects name it.
    package func targets(
        in tree: RevisionTree, matching patterns: [String], addresses: [String] = []
    ) async throws(AgentError) -> Scan {
        if let lastScan, lastScan.revision == tree.revision.id, lastScan.patterns == patterns { return lastScan.scan }
        let filter = try Self.filter(patterns)
        let facts = try await examine(tree)
        var scan = Scan()
        if let problem = rulesProblem { scan.skipped.append(problem) }
        var sources = FluxSources()
        for (entry, known) in zip(tree.entries, facts) {
            guard let result = known?.scan, !result.isEmpty else { continue }
            sources.append(result.flux)
            scan.imageUpdaters += result.imageUpdaters
            guard filter(entry.path) else { continue }
            scan.targets += result.targets
            scan.applications += result.applications
            scan.applicationSets += result.applicationSets
            scan.unreadApplications += result.unreadApplications.map { (place: $0.place, reason: $0.reason) }
            scan.skipped += (result.skipped + result.remarks).map { (place: $0.place, reason: $0.reason) }
        }
        scan.flux = await inventory(of: sources, in: tree, addresses)
        lastScan = (tree.revision.id, patterns, scan)
        return scan
    }

    /// Flux v2's objects in their final form. Patches of Kustomize are read where they concern one of them.
    private func inventory(
        of sources: FluxSources, in tree: RevisionTree, _ addresses: [String]
    ) async -> FluxInventory {
        guard !sources.objects.isEmpty else { return FluxInventory() }
        let roots = FluxRoots(sources: sources, tree: tree) { url in
            addresses.isEmpty || KanikoDiscovery.isSameRepository(url, as: addresses)
        }
        var patches: [String: [ObjectValue]] = [:]
        var inventory = FluxInventory()
        // A patch may change what is built, and so which patches concern it.
        for _ in 0..<4 {
            var wanted: Set<String> = []
            inventory = roots.inventory(patches: patches, wanted: &wanted)
            let entries = wanted.sorted().prefix(Self.patchLimit).compactMap { tree.file($0) }
            guard !entries.isEmpty else { break }
            let read = await remote.read(entries, limit: Self.patchSize) { _, content in
                (try? content.get()).flatMap { KustomizeBuild.documents($0) }
            }
            for (entry, documents) in zip(entries, read) { patches[entry.path] = documents ?? [.text("not YAML")] }
        }
        return inventory
    }

    /// Patch files that are read, and the bytes that one may have.
    private static let patchLimit = 2_000
    private static let patchSize = 1 << 20

    /// Manifests that were not read, which may speak of anything, with the reason.
    package func unread(in tree: RevisionTree) async throws(AgentError) -> [(place: String, reason: String)] {
        try await examine(tree).lazy.compactMap(\.self).filter(\.isUnread).flatMap(\.scan.skipped)
            .map { (place: $0.place, reason: $0.reason) }
    }

    /// The files that speak of kaniko, with their content.
    package func kanikoFiles(
        in tree: RevisionTree
    ) async throws(AgentError) -> [(path: String, content: [UInt8])] {
        if let lastKaniko, lastKaniko.revision == tree.revision.id { return lastKaniko.files }
        let facts = try await examine(tree)
        var files: [(path: String, content: [UInt8])] = []
        for (entry, known) in zip(tree.entries, facts) {
            if let content = known?.kaniko { files.append((path: entry.path, content: content)) }
        }
        lastKaniko = (tree.revision.id, files)
        return files
    }

    /// Other tools' configuration. What cannot be read is none.
    func rivals(in tree: RevisionTree) async throws(AgentError) -> [RivalConfiguration] {
        if let lastRivals, lastRivals.revision == tree.revision.id { return lastRivals.found }
        var found: [RivalConfiguration] = []
        for entry in tree.entries where RivalConfiguration.mayBe(entry.path) && tree.file(entry.path) != nil {
            guard let bytes = try? await remote.read(entry, limit: RivalConfiguration.sizeLimit),
                let rival = RivalConfiguration(file: entry.path, bytes: bytes)
            else { continue }
            found.append(rival)
        }
        lastRivals = (tree.revision.id, found)
        return found
    }

    // MARK: Reading

    /// Reads what is new, each file once, several at a time. Files that are gone are forgotten.
    ///
    /// - Returns: for each entry of the tree what it says.
    private func examine(_ tree: RevisionTree) async throws(AgentError) -> [Facts?] {
        if let examined, examined.tree.revision.id == tree.revision.id { return examined.facts }
        try await readRules(in: tree)
        let rules = lastRules.rules
        var (facts, new) = taken(from: examined, by: tree)
        let readings = await remote.read(new.map { tree.entries[$0] }, limit: Self.manifestLimit) { entry, content in
            Self.reading(entry, content, rules)
        }
        for (place, reading) in zip(new, readings) {
            switch reading {
            case .facts(let known): facts[place] = known
            // The mirror itself knows what to do with damaged objects.
            case .unreadable:
                let entry = tree.entries[place]
                facts[place] = Self.facts(entry.path, try await remote.read(entry), rules)
            }
        }
        examined = (tree, facts)
        return facts
    }

    /// Where custom resources have their images, as the repository's own file says, or why that is not known.
    package func imageRules(
        in tree: RevisionTree
    ) async throws(AgentError) -> (rules: [ImagePathRule], problem: (place: String, reason: String)?) {
        try await readRules(in: tree)
        return (lastRules.rules, rulesProblem)
    }

    private var rulesProblem: (place: String, reason: String)? {
        lastRules.problem.map { problem in
            (problem.place ?? RepositoryFile.path, "no images of custom resources are followed: \(problem.summary)")
        }
    }

    /// What files say depends on the repository's own file: with other rules, all are looked at anew.
    private func readRules(in tree: RevisionTree) async throws(AgentError) {
        let file = tree.file(RepositoryFile.path)
        guard file?.id != lastRules.file else { return }
        var next: (file: ObjectID?, rules: [ImagePathRule], problem: YAMLError?) = (file?.id, [], nil)
        if let file {
            let bytes = try await remote.read(file)
            // What is wrong with the builds is told by those who look for them.
            if ManifestScan.holds("images", in: bytes) {
                do throws(YAMLError) {
                    next.rules = try RepositoryFile(bytes).images
                } catch {
                    next.problem = error
                }
            }
        }
        if next.rules != lastRules.rules { examined = nil }
        lastRules = next
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

    private enum Reading: Sendable {
        case facts(Facts?)
        case unreadable
    }

    private static func reading(
        _ entry: TreeEntry, _ content: Result<[UInt8], GitError>, _ rules: [ImagePathRule]
    ) -> Reading {
        switch content {
        case .success(let bytes): return .facts(facts(entry.path, bytes, rules))
        case .failure(let error):
            guard error.code == .tooLarge else { return .unreadable }
            // Nobody writes such a manifest; it does not stop the others.
            let reason = "not looked at: more than \(manifestLimit >> 20) MiB"
            return .facts(Facts(scan: ScanResult(skipping: entry.path, reason: reason), isUnread: true))
        }
    }

    private static func facts(_ path: String, _ bytes: [UInt8], _ rules: [ImagePathRule]) -> Facts? {
        let scan = ManifestScan.scan(file: path, bytes: bytes, rules: rules)
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
