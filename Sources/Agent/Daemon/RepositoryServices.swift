package import Forge

/// What the players of one repository work with: the effects at the cycle's edges. Fakes stand in for them in tests.
package struct RepositoryServices: Sendable {
    package let git: GitServices
    package let builds: BuildServices
    package let tags: any TagSource
    /// What holds for the builds of all repositories.
    package let settings: AgentConfiguration.BuildsConfiguration
    /// Seconds for which a scan of a registry serves other cycles, too.
    package let reuse: Int64
    /// The cluster, or why there is none; `nil` where nothing is applied.
    package var apply: Result<ApplyServices, AgentError>?

    package init(
        git: GitServices, builds: BuildServices, tags: any TagSource,
        settings: AgentConfiguration.BuildsConfiguration = AgentConfiguration.BuildsConfiguration(), reuse: Int64 = 0
    ) {
        self.git = git
        self.builds = builds
        self.tags = tags
        self.settings = settings
        self.reuse = reuse
    }
}

/// The part of it that reads a repository and writes to it.
package struct GitServices: Sendable {
    package let remote: any GitRemote
    package let revisions: RevisionCache
    /// How the agent's commits come to be, and to the repository.
    package let settings: AgentConfiguration.GitConfiguration
    /// The code host's API; `nil` where no pull requests are asked for.
    package let forge: (any Forge)?
    /// Tells the code host of builds; `nil` where nobody is told.
    package let statuses: CommitStatusReporter?
    package let clock: any AgentClock

    package init(
        remote: any GitRemote, settings: AgentConfiguration.GitConfiguration, forge: (any Forge)? = nil,
        statuses: CommitStatusReporter? = nil, clock: any AgentClock = SystemClock()
    ) {
        self.remote = remote
        revisions = RevisionCache(remote)
        self.settings = settings
        self.forge = forge
        self.statuses = statuses
        self.clock = clock
    }
}
