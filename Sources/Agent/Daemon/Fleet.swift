import Builder
import Git
package import OCI
package import Registry
import RegistryPoller

/// The repositories of a configuration, and what they share: the builder, the poller, and the mirrors that are open.
///
/// Everything of a repository is kept by its entry's name: two entries may have one URL, and share nothing but a mirror,
/// and that only when both read it with the same credentials.
package actor Fleet: RepositoryFleet {
    private let configuration: AgentConfiguration
    package nonisolated let registry: RegistryAccess
    package nonisolated let builds: BuildServices
    private let builder: Builder
    private let fetcher: RemoteFetcher
    /// Where builds run as Jobs; `nil`: they run here.
    private let cluster: BuildCluster?
    private let poller: RegistryPoller
    private let mirrors: MirrorShelf
    /// In seconds.
    private static let tidyInterval: Int64 = 60
    /// In seconds since 1970.
    private var tidiedAt: Int64 = 0
    private var reconcilers: [String: Reconciler] = [:]
    /// Whether a scan of a registry serves the cycles of several repositories: in the agent, where all come back soon.
    private let sharesScans: Bool
    private let permit: WritePermit

    /// Looks at the machine once, reports what it allows, and opens the state directory.
    ///
    /// - Parameters:
    ///   - besideAgent: whether an agent works on the state directory: its mirrors are left to it.
    ///   - permit: asked before each write.
    package static func open(
        _ configuration: AgentConfiguration, sharesScans: Bool = false, besideAgent: Bool = false,
        permit: WritePermit = .always, say: @escaping @Sendable (String) -> Void
    ) async throws(AgentError) -> Fleet {
        let directory = configuration.stateDirectory
        let (builder, fetcher) = try await builder(configuration, say: say)
        let builds = BuildServices(
            builder: EmbeddedBuilder(builder: builder),
            queue: BuildQueue(concurrency: configuration.builds.concurrency),
            failures: await FailureMemory(directory: directory),
            history: await HistoryStore(directory: directory, limits: configuration.history), permit: permit)
        return Fleet(
            configuration: configuration, builds: builds, builder: builder, fetcher: fetcher,
            cluster: try BuildCluster.open(configuration, dispatcher: builds.dispatcher),
            mirrors: MirrorShelf(stateDirectory: directory, copiesLocked: besideAgent, permit: permit),
            sharesScans: sharesScans, permit: permit)
    }

    /// The fleet of another configuration with the same state directory. Mirrors stay open, and builds that are under way
    /// go on.
    package func reloaded(
        _ configuration: AgentConfiguration, say: @escaping @Sendable (String) -> Void
    ) async throws(AgentError) -> any RepositoryFleet {
        let (builder, fetcher) = try await Self.builder(configuration, say: say)
        let cluster = try BuildCluster.open(configuration, dispatcher: builds.dispatcher)
        await builds.queue.setConcurrency(configuration.builds.concurrency)
        return Fleet(
            configuration: configuration, builds: builds.with(builder: EmbeddedBuilder(builder: builder)),
            builder: builder, fetcher: fetcher, cluster: cluster, mirrors: mirrors, sharesScans: sharesScans,
            permit: permit)
    }

    private static func builder(
        _ configuration: AgentConfiguration, say: @escaping @Sendable (String) -> Void
    ) async throws(AgentError) -> (Builder, RemoteFetcher) {
        let isolation = try await MachineIsolation.ofAgent(configuration, say: say)
        // Of nobody: each repository's builds get one of their own.
        let fetcher = RemoteFetcher(
            stateDirectory: configuration.stateDirectory, credentials: GitCredentials(), scope: .repository(""))
        do throws(BuildError) {
            let builder = try Builder(
                stateDirectory: configuration.stateDirectory, registry: registry(configuration),
                isolation: isolation, unpackLimit: configuration.builds.unpackLimit, fetcher: fetcher)
            return (builder.with(limits: configuration.builds.storeLimits), fetcher)
        } catch {
            throw AgentError(error.summary, place: error.place, cause: error.cause, hint: error.hint)
        }
    }

    private init(
        configuration: AgentConfiguration, builds: BuildServices, builder: Builder, fetcher: RemoteFetcher,
        cluster: BuildCluster?, mirrors: MirrorShelf, sharesScans: Bool, permit: WritePermit
    ) {
        self.configuration = configuration
        self.builds = builds
        self.builder = builder
        self.fetcher = fetcher
        self.cluster = cluster
        self.mirrors = mirrors
        self.sharesScans = sharesScans
        self.permit = permit
        registry = Self.registry(configuration)
        poller = RegistryPoller(registry: registry, directory: "\(configuration.stateDirectory)/inventory")
    }

    package static func registry(_ configuration: AgentConfiguration) -> RegistryAccess {
        var settings = configuration.registryConfiguration
        settings.userAgent = Version.userAgent
        return RegistryAccess(configuration: settings, keychain: keychain(configuration))
    }

    static func keychain(_ configuration: AgentConfiguration) -> Keychain {
        configuration.dockerConfig.map { Keychain(file: $0) } ?? .standard
    }

    /// The reconciler of one entry; it stays for the next cycle, with its mirror open.
    package func reconciler(
        for repository: AgentConfiguration.RepositoryConfiguration
    ) async throws(AgentError) -> Reconciler {
        if let known = reconcilers[repository.name] { return known }
        let git = repository.git ?? configuration.git
        let own = fetcher(for: repository, git)
        let embedded = EmbeddedBuilder(builder: builder.with(fetcher: own))
        var services = RepositoryServices(
            git: try await mirrors.services(for: repository, git, sources: own.git),
            builds: builds.with(builder: cluster?.builder(of: repository, besides: embedded) ?? embedded), tags: poller,
            settings: configuration.builds,
            reuse: sharesScans ? (repository.interval ?? configuration.interval).components.seconds / 2 : 0)
        if repository.apply != nil {
            let (cluster, scratch, permit) = (configuration.cluster, configuration.stateDirectory, permit)
            services.apply = Result { () throws(AgentError) in
                try ApplyServices.open(cluster, scratch: scratch, permit: permit)
            }
        }
        let reconciler = Reconciler(repository: repository, services: services)
        reconcilers[repository.name] = reconciler
        return reconciler
    }

    /// What the builds of a repository fetch, they fetch as that repository.
    private func fetcher(
        for repository: AgentConfiguration.RepositoryConfiguration, _ git: AgentConfiguration.GitConfiguration
    ) -> RemoteFetcher {
        let url = repository.url
        return fetcher.with(
            SourceAccess(
                { () async throws(AgentError) in try await GitAccess.current(git, of: url) },
                within: .repository(
                    url, granting: configuration.builds.credentials + repository.allowed.credentials)))
    }

    package func expire(_ tag: String?, in location: RepositoryLocation) async {
        await poller.expire(tag, in: location)
    }

    /// Removes what earlier builds left and nobody used for long, now and then: each cycle of each repository asks.
    @discardableResult
    package func tidy(now: Int64) async -> CacheUse {
        guard now < tidiedAt || now - tidiedAt >= Self.tidyInterval else { return CacheUse() }
        tidiedAt = now
        let size = await builds.builder.collectGarbage(olderThan: configuration.builds.cacheTTL, now: now)
        await fetcher.collect(olderThan: configuration.builds.cacheTTL ?? StoreLimits().age, now: now)
        return CacheUse(size: size, limit: configuration.builds.storeLimits.size)
    }
}
