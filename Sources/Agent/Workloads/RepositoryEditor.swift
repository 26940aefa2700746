import Diagnostics
package import Git
package import ManifestUpdater
import Synchronization

/// Edits manifests in a repository as fluxctl does: on the branch's accepted head, one commit, published by the same way as
/// a cycle's, computed anew when somebody else was faster.
package struct RepositoryEditor: Sendable {
    package struct Outcome: Sendable {
        package var commit: ObjectID?
        /// The same commit with its message, and where it went.
        package var published: CycleReport.Published?
        package var changes: [ManifestChange] = []
        package var skipped: [ManifestSkip] = []
        package var met: Set<String> = []
    }

    private let git: GitServices
    private let repository: AgentConfiguration.RepositoryConfiguration
    private let publisher: Publisher

    /// - Throws: when the configuration does not name exactly one repository, or its mirror cannot be opened.
    package init(_ configuration: AgentConfiguration) async throws(AgentError) {
        guard configuration.repositories.count == 1, let repository = configuration.repositories.first else {
            throw AgentError(
                "the configuration has \(configuration.repositories.count) repositories",
                hint: "say which one by --name")
        }
        let mirrors = MirrorShelf(stateDirectory: configuration.stateDirectory)
        self.init(
            repository, git: try await mirrors.services(for: repository, repository.git ?? configuration.git))
    }

    package init(_ repository: AgentConfiguration.RepositoryConfiguration, git: GitServices) {
        self.git = git
        self.repository = repository
        publisher = Publisher(repository: repository, git: git)
    }

    /// The branch's head, fetched and accepted.
    package func fetch() async throws(AgentError) -> TrustedHead {
        try await explained { try await publisher.heads.fetch().head }
    }

    /// The manifests of a revision that hold a word, in the order of their paths.
    private func manifests(in files: RevisionFiles) async throws(AgentError) -> [(path: String, bytes: [UInt8])] {
        var manifests: [(path: String, bytes: [UInt8])] = []
        for entry in files.tree.entries
        where (entry.mode == .file || entry.mode == .executable) && UpdateRequest.isManifest(entry.path) {
            // A file that is too large holds no manifests that anybody would look at.
            guard let bytes = try? await files.read(entry.path, limit: UpdateRequest.sizeLimit),
                ManifestScan.holds("kind", in: bytes)
            else { continue }
            manifests.append((entry.path, bytes))
        }
        return manifests
    }

    /// Every container of every workload of a head; files that cannot be read are told and passed over.
    package func containers(
        at head: TrustedHead, alert: (String) -> Void
    ) async throws(AgentError) -> [WorkloadContainer] {
        let files = RevisionFiles(tree: try await git.revisions.tree(of: head.commit), remote: git.remote)
        let (rules, problem) = try await git.revisions.imageRules(in: files.tree)
        if let problem { alert("skipped \(problem.place): \(problem.reason)") }
        var containers: [WorkloadContainer] = []
        for file in try await manifests(in: files) {
            let (found, skipped) = ManifestScan.containers(file: file.path, bytes: file.bytes, rules: rules)
            for skip in skipped { alert("skipped \(skip.file): \(skip.reason)") }
            containers += found
        }
        return containers
    }

    /// The branch's commits, for the order of the agent's own images.
    package func history(of head: TrustedHead) async throws(AgentError) -> BranchHistory {
        try await git.revisions.history(of: head.commit)
    }

    /// Carries out an edit of files.
    ///
    /// - Parameters:
    ///   - command: what was asked for; its message is for the changes that were made.
    ///   - update: takes also where custom resources have their images.
    package func edit(
        dryRun: Bool = false, command: PersonalCommand,
        _ update: @escaping @Sendable (_ path: String, _ bytes: [UInt8], _ rules: [ImagePathRule]) -> FileUpdate
    ) async throws(AgentError) -> Outcome {
        // Where cycles commit nothing, the configuration may be one that accepts no commit of the agent's.
        if !dryRun, let problem = GitReader.commitProblem(in: git.settings) {
            throw AgentError(problem.summary, hint: "set 'commit.signing', and let 'verify' trust that key")
        }
        let found = Mutex(Outcome())
        let request = ChangeRequest(command: command) { (files) throws(AgentError) in
            var outcome = Outcome()
            var changes = ChangeSet()
            let rules = try await git.revisions.imageRules(in: files.tree).rules
            for file in try await manifests(in: files) {
                let result = update(file.path, file.bytes, rules)
                outcome.changes += result.changes
                outcome.skipped += result.skipped
                outcome.met.formUnion(result.met)
                if let bytes = result.bytes { changes.files[file.path] = bytes }
            }
            changes.updates = outcome.changes.map(CycleReport.Update.init)
            found.withLock { $0 = outcome }
            return changes
        }
        var report = CycleReport(
            repository: repository.name, url: git.remote.displayURL, branch: repository.branch)
        report.dryRun = dryRun
        let recorder = CycleRecorder(report) { _ in }
        let head = try await fetch()
        do {
            try await publisher.publish([request], from: head, in: recorder)
        } catch {
            throw AgentError(error.summary, place: error.underlying.place, cause: error.cause, hint: error.hint)
        }
        var outcome = found.withLock { $0 }
        outcome.commit = recorder.report.commit.flatMap { try? ObjectID(hex: $0) }
        outcome.published = recorder.report.commits.last
        return outcome
    }
}

extension CycleReport.Update {
    /// What a command changed.
    init(_ change: ManifestChange) {
        self.init(
            file: change.file, line: change.line, workload: change.object,
            container: change.container.isEmpty ? change.setter : change.container, old: change.old,
            new: change.new, reason: "")
    }
}
