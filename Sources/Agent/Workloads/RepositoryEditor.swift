import Diagnostics
package import Git
package import ManifestUpdater

/// Edits manifests in a repository as fluxctl does: on the branch's head, one commit, pushed with a lease, computed anew
/// when somebody else was faster.
package struct RepositoryEditor: Sendable {
    package struct Outcome: Sendable {
        package var commit: ObjectID?
        package var changes: [ManifestChange] = []
        package var skipped: [ManifestSkip] = []
        package var met: Set<String> = []
    }

    let repository: AgentConfiguration.RepositoryConfiguration
    let settings: AgentConfiguration.GitConfiguration
    let mirror: RepositoryMirror

    private static let attempts = 6
    private static let sizeLimit = 16 << 20

    /// - Throws: when the configuration does not name exactly one repository, or its mirror cannot be opened.
    package init(_ configuration: AgentConfiguration) throws(AgentError) {
        guard configuration.repositories.count == 1, let repository = configuration.repositories.first else {
            throw AgentError(
                "the configuration has \(configuration.repositories.count) repositories",
                hint: "say which one by --name")
        }
        self.repository = repository
        settings = repository.git ?? configuration.git
        let credentials = try GitAccess.credentials(settings)
        do {
            let git = try Mirror(
                path: "\(configuration.stateDirectory)/git/\(GitAccess.folder(for: repository.url))",
                url: repository.url, credentials: credentials)
            mirror = RepositoryMirror(git: git, url: repository.url)
        } catch {
            throw AgentError(error.summary, place: error.place, cause: error.cause, hint: error.hint)
        }
    }

    package func fetch() async throws(AgentError) -> Commit {
        try await explained { try await mirror.git.fetch(branch: repository.branch) }
    }

    /// The manifests of a revision that hold a word, in the order of their paths.
    func manifests(at revision: Commit) async throws(AgentError) -> [(path: String, bytes: [UInt8])] {
        let entries = try await explained { try await mirror.git.entries(of: revision.id, recursive: true) }
        var files: [(path: String, bytes: [UInt8])] = []
        for entry in entries
        where (entry.mode == .file || entry.mode == .executable) && UpdateRequest.isManifest(entry.path) {
            // A file that is too large holds no manifests that anybody would look at.
            guard let bytes = try? await mirror.read(entry, limit: Self.sizeLimit),
                ManifestScan.holds("kind", in: bytes)
            else { continue }
            files.append((entry.path, bytes))
        }
        return files
    }

    /// Every container of every workload of a revision.
    ///
    /// - Parameter tell: is told of files that cannot be read and are passed over.
    package func containers(
        at revision: Commit, telling tell: (String) -> Void
    ) async throws(AgentError) -> [WorkloadContainer] {
        var containers: [WorkloadContainer] = []
        for file in try await manifests(at: revision) {
            let (found, skipped) = ManifestScan.containers(file: file.path, bytes: file.bytes)
            for skip in skipped { tell("skipped \(skip.file): \(skip.reason)") }
            containers += found
        }
        return containers
    }

    /// The branch's commits, for the order of the agent's own images.
    package func history(of revision: Commit) async throws(AgentError) -> BranchHistory {
        let commits = try await explained {
            try await mirror.git.log(from: revision.id, limit: BranchHistory.limit)
        }
        return BranchHistory(commits)
    }

    /// Carries out an edit of files.
    ///
    /// - Parameters:
    ///   - user: who asks for it; becomes a trailer.
    ///   - message: for the changes that were made, without trailers.
    package func edit(
        dryRun: Bool = false, user: String? = nil, message: @Sendable ([ManifestChange]) -> String,
        _ update: @Sendable (_ path: String, _ bytes: [UInt8]) -> FileUpdate
    ) async throws(AgentError) -> Outcome {
        for attempt in 1...Self.attempts {
            let revision = try await fetch()
            var outcome = Outcome()
            var edits: [String: [UInt8]] = [:]
            for file in try await manifests(at: revision) {
                let result = update(file.path, file.bytes)
                outcome.changes += result.changes
                outcome.skipped += result.skipped
                outcome.met.formUnion(result.met)
                edits[file.path] = result.bytes
            }
            if edits.isEmpty || dryRun { return outcome }
            let commit = try await commit(edits, outcome.changes, message(outcome.changes), user, on: revision)
            let pushed = try await explained {
                try await mirror.git.push(commit, to: repository.branch, expecting: revision.id)
            }
            if case .pushed = pushed {
                outcome.commit = commit
                return outcome
            }
            // By chance, so that two of us do not meet again.
            let milliseconds = Int.random(in: 20...(50 << min(attempt, 6)))
            try await explained { try await Task.sleep(for: .milliseconds(milliseconds)) }
        }
        throw AgentError(
            "others pushed to \(repository.branch) \(Self.attempts) times in a row",
            hint: "nothing was changed: try again")
    }

    private func commit(
        _ edits: [String: [UInt8]], _ changes: [ManifestChange], _ message: String, _ user: String?,
        on revision: Commit
    ) async throws(AgentError) -> ObjectID {
        let now = SystemClock().now
        let author = Signature(name: settings.authorName, email: settings.authorEmail, time: now)
        let committer = Signature(
            name: settings.committerName ?? settings.authorName, email: settings.committerEmail ?? settings.authorEmail,
            time: now)
        var body = message
        while let last = body.last, last.isWhitespace { body.removeLast() }
        if let skip = settings.commit.ciSkip { body += "\n\n" + skip }
        var trailers = changes.map { change in
            CommitTrailer.line(
                CycleReport.Update(
                    file: change.file, line: change.line, workload: change.object,
                    container: change.container.isEmpty ? change.setter : change.container, old: change.old,
                    new: change.new, reason: ""))
        }
        if let user, !user.allSatisfy(\.isWhitespace) { trailers.append(CommitTrailer.line(user: user)) }
        let text = CommitTrailer.appended(trailers, to: body)
        return try await explained {
            try await mirror.git.createCommit(
                parent: revision.id, edits: edits, message: text, author: author, committer: committer,
                signingKey: settings.commit.signing)
        }
    }
}
