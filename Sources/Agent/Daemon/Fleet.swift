import Builder
import Git
package import Registry
import RegistryPoller

/// The repositories of a configuration, and what they share: the builder, the poller, and the mirrors that are open.
///
/// Everything of a repository is kept by its entry's name: two entries may have one URL, and share nothing but a mirror,
/// and that only when both read it with the same credentials.
package actor Fleet {
    private let configuration: AgentConfiguration
    package nonisolated let registry: RegistryAccess
    private let builder: any ImageBuilding
    private let poller: RegistryPoller
    private var reconcilers: [String: Reconciler] = [:]
    private var mirrors: MirrorShelf
    /// Whether a scan of a registry serves the cycles of several repositories: in the agent, where all come back soon.
    private let sharesScans: Bool

    /// Looks at the machine once, reports what it allows, and opens the state directory.
    package static func open(
        _ configuration: AgentConfiguration, sharesScans: Bool = false, say: @escaping @Sendable (String) -> Void
    ) async throws(AgentError) -> Fleet {
        let registry = registry(configuration)
        let report = try await MachineIsolation.report(configuration, say: say)
        let fetcher = RemoteFetcher(
            stateDirectory: configuration.stateDirectory,
            credentials: try GitAccess.credentials(configuration.git),
            trusted: TrustedHosts(of: configuration.repositories.map(\.url)),
            usesKeysEverywhere: false)
        do {
            let builder = try Builder(
                stateDirectory: configuration.stateDirectory, registry: registry, report: report, fetcher: fetcher)
            return Fleet(
                configuration: configuration, registry: registry, builder: EmbeddedBuilder(builder: builder),
                sharesScans: sharesScans)
        } catch {
            throw AgentError(error.summary, place: error.place, cause: error.cause, hint: error.hint)
        }
    }

    private init(
        configuration: AgentConfiguration, registry: RegistryAccess, builder: any ImageBuilding, sharesScans: Bool
    ) {
        self.configuration = configuration
        self.registry = registry
        self.builder = builder
        self.sharesScans = sharesScans
        mirrors = MirrorShelf(stateDirectory: configuration.stateDirectory)
        poller = RegistryPoller(registry: registry, directory: "\(configuration.stateDirectory)/inventory")
    }

    package static func registry(_ configuration: AgentConfiguration) -> RegistryAccess {
        var settings = configuration.registryConfiguration
        settings.userAgent = Version.userAgent
        return RegistryAccess(
            configuration: settings, keychain: configuration.dockerConfig.map { Keychain(file: $0) } ?? .standard)
    }

    /// The reconciler of one entry; it stays for the next cycle, with its mirror open.
    package func reconciler(
        for repository: AgentConfiguration.RepositoryConfiguration
    ) throws(AgentError) -> Reconciler {
        if let known = reconcilers[repository.name] { return known }
        let git = repository.git ?? configuration.git
        let services = RepositoryServices(
            git: try mirrors.services(for: repository, git), builder: builder, tags: poller,
            reuse: sharesScans ? (repository.interval ?? configuration.interval).components.seconds / 2 : 0)
        let reconciler = Reconciler(repository: repository, services: services)
        reconcilers[repository.name] = reconciler
        return reconciler
    }

    /// Removes what earlier builds left and nobody used for long, now and then.
    package func tidy(now: Int64) async { await builder.collectGarbage(now: now) }
}
