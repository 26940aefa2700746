import Git
import OCI

/// The mirrors that are open, each for the entries that read one URL with the same credentials.
package actor MirrorShelf {
    private let stateDirectory: String
    private let copiesLocked: Bool
    private let permit: WritePermit
    private var open: [String: Mirror] = [:]
    /// The directories of mirrors that are for this process alone; they go with it.
    private var copies: [GitDirectory] = []

    /// - Parameters:
    ///   - copiesLocked: whether a mirror that another process works with is replaced by one of this process's own, which costs a
    ///     whole fetch.
    ///   - permit: asked before each push.
    package init(stateDirectory: String, copiesLocked: Bool = false, permit: WritePermit = .always) {
        self.permit = permit
        self.stateDirectory = stateDirectory
        self.copiesLocked = copiesLocked
    }

    /// What the players of an entry read and write by.
    ///
    /// - Parameter sources: where its builds get submodules and Git LFS content from.
    package func services(
        for repository: AgentConfiguration.RepositoryConfiguration, _ git: AgentConfiguration.GitConfiguration,
        sources: GitSources? = nil
    ) async throws(AgentError) -> GitServices {
        let credentials = try GitAccess.credentials(git)
        let forge = try GitAccess.forge(git, url: repository.url)
        let statuses = try GitAccess.statuses(git, url: repository.url)
        let hostCommits = try GitAccess.hostCommits(git, url: repository.url)
        let folder = Self.folder(for: repository.url, git)
        let mirror: Mirror
        if let known = open[folder] {
            mirror = known
            // The files of credentials may have changed.
            await mirror.use(credentials)
        } else {
            do throws(GitError) {
                mirror = try self.mirror(in: folder, of: repository.url, credentials)
            } catch {
                throw AgentError(error.summary, place: error.place, cause: error.cause, hint: error.hint)
            }
            open[folder] = mirror
        }
        let remote = MirrorRemote(
            mirror, url: repository.url, sources: sources, hostCommits: hostCommits, permit: permit
        ) { () async throws(AgentError) in
            try await GitAccess.current(git, of: repository.url)
        }
        return GitServices(remote: remote, settings: git, forge: forge, statuses: statuses)
    }

    private func mirror(
        in folder: String, of url: String, _ credentials: GitCredentials
    ) throws(GitError) -> Mirror {
        let parent = "\(stateDirectory)/git"
        do throws(GitError) {
            return try Mirror(path: "\(parent)/\(folder)", url: url, credentials: credentials)
        } catch {
            guard copiesLocked, error.code == .locked else { throw error }
            let copy = try GitDirectory(below: parent)
            copies.append(copy)
            return try Mirror(path: copy.path, url: url, credentials: credentials)
        }
    }

    /// A name of its own for each URL and each way to read it. What the files of credentials hold is not in it.
    static func folder(for url: String, _ git: AgentConfiguration.GitConfiguration) -> String {
        let way: [String?] = [
            git.username, git.passwordFile, git.tokenFile, git.github?.privateKeyFile, git.sshKey,
            git.sshPassphraseFile, git.knownHosts,
            git.caFile,
            git.proxy, git.proxyCredentialsFile, git.usesSSHAgent ? nil : "no agent",
        ]
        let folder = GitAccess.folder(for: url)
        guard way.contains(where: { $0 != nil }) else { return folder }
        let text = way.map { $0.map { "\($0.utf8.count):\($0)" } ?? "-" }.joined(separator: ",")
        return folder + "-" + Digest.sha256(of: Array(text.utf8)).encoded.prefix(8)
    }
}
