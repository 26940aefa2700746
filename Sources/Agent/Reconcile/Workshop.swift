import Builder
import Diagnostics
import Git
import Glibc
package import Registry
import RegistryPoller
package import Sandbox

/// What all repositories of a configuration share, and the mirrors that are open.
package actor Workshop {
    private let configuration: AgentConfiguration
    package nonisolated let registry: RegistryAccess
    private let builder: Builder
    private let fetcher: RemoteFetcher
    private let poller: RegistryPoller
    /// By the entries' names.
    private var tools: [String: Tools] = [:]
    /// By URL: entries for several branches of a repository share one.
    private var mirrors: [String: Mirror] = [:]
    /// Whether a scan of a registry serves the cycles of several repositories: in the agent, where all come back soon.
    private let sharesScans: Bool

    /// Looks at the machine once, reports what it allows, and opens the state directory.
    package static func open(
        _ configuration: AgentConfiguration, sharesScans: Bool = false, say: @escaping @Sendable (String) -> Void
    ) async throws(AgentError) -> Workshop {
        let registry = registry(configuration)
        let report = try await isolation(configuration, say: say)
        let fetcher = RemoteFetcher(
            stateDirectory: configuration.stateDirectory, credentials: GitCredentials(), scope: .repository(""))
        do {
            let builder = try Builder(
                stateDirectory: configuration.stateDirectory, registry: registry, report: report, fetcher: fetcher)
            return Workshop(
                configuration: configuration, registry: registry, builder: builder, fetcher: fetcher,
                sharesScans: sharesScans)
        } catch {
            throw AgentError(error.summary, place: error.place, cause: error.cause, hint: error.hint)
        }
    }

    private init(
        configuration: AgentConfiguration, registry: RegistryAccess, builder: Builder, fetcher: RemoteFetcher,
        sharesScans: Bool
    ) {
        self.configuration = configuration
        self.registry = registry
        self.builder = builder
        self.fetcher = fetcher
        self.sharesScans = sharesScans
        poller = RegistryPoller(registry: registry, directory: "\(configuration.stateDirectory)/inventory")
    }

    package static func registry(_ configuration: AgentConfiguration) -> RegistryAccess {
        var settings = configuration.registryConfiguration
        settings.userAgent = Version.userAgent
        return RegistryAccess(
            configuration: settings, keychain: configuration.dockerConfig.map { Keychain(file: $0) } ?? .standard)
    }

    /// The machine's isolation modes, cut down to the one that is asked for.
    package static func isolation(
        _ configuration: AgentConfiguration, say: @escaping @Sendable (String) -> Void
    ) async throws(AgentError) -> IsolationReport {
        let report = await SandboxProbe.probe(stateDirectory: configuration.stateDirectory)
        switch configuration.isolation {
        case .auto:
            tell(report, say)
            return report
        case .namespaces, .chroot, .inPlace:
            let mode = configuration.isolation.mode ?? .namespaces
            guard report.available.contains(mode) else {
                throw AgentError(
                    "isolation by \(mode.rawValue) is not possible here", cause: report.reasons[mode],
                    hint: report.remedies[mode] ?? "use --isolation auto")
            }
            say("RUN steps are isolated by \(mode.rawValue)\(report.identities)")
            return report.only(mode)
        }
    }

    /// The same, and where nothing special is asked for, not before a step has to be run.
    package static func isolationWhenAsked(
        _ configuration: AgentConfiguration, say: @escaping @Sendable (String) -> Void
    ) async throws(AgentError) -> Isolation {
        guard configuration.isolation == .auto else {
            return Isolation(try await isolation(configuration, say: say))
        }
        return Isolation(stateDirectory: configuration.stateDirectory) { tell($0, say) }
    }

    private static func tell(_ report: IsolationReport, _ say: (String) -> Void) {
        guard let mode = report.automatic else {
            let reasons = report.reasons.map { "\($0.key.rawValue): \($0.value)" }.sorted()
            return say("RUN steps cannot be run on this machine (\(reasons.joined(separator: "; ")))")
        }
        say("RUN steps are isolated by \(mode.rawValue)\(report.identities)")
        for stronger in IsolationMode.allCases.prefix(while: { $0 != mode }) {
            say("  not by \(stronger.rawValue): \(report.reasons[stronger] ?? "")")
        }
    }

    /// The reconciler of one repository; its mirror stays open for the next cycle.
    package func reconciler(
        for repository: AgentConfiguration.RepositoryConfiguration, dryRun: Bool,
        say: @escaping @Sendable (String) -> Void
    ) async throws(AgentError) -> Reconciler {
        let key = repository.name
        let opened: Tools
        if let known = tools[key] {
            opened = known
        } else {
            opened = try await open(repository)
            tools[key] = opened
        }
        return Reconciler(repository: repository, tools: opened, dryRun: dryRun, say: say)
    }

    /// Removes what earlier builds left and nobody used for long, now and then. A failure only costs room.
    package func tidy(now: Int64) async {
        _ = try? await builder.collect(StoreLimits(), now: now, every: .seconds(600))
    }

    private func mirror(of url: String, _ credentials: GitCredentials) throws(GitError) -> Mirror {
        if let known = mirrors[url] { return known }
        let mirror = try Mirror(
            path: "\(configuration.stateDirectory)/git/\(GitAccess.folder(for: url))", url: url,
            credentials: credentials)
        mirrors[url] = mirror
        return mirror
    }

    /// What the builds of a repository fetch, they fetch as that repository.
    private func fetcher(
        for repository: AgentConfiguration.RepositoryConfiguration, _ credentials: GitCredentials
    ) -> RemoteFetcher {
        fetcher.with(
            credentials: credentials,
            scope: .repository(
                repository.url, granting: configuration.builds.credentials + repository.allowed.credentials))
    }

    private func open(_ repository: AgentConfiguration.RepositoryConfiguration) async throws(AgentError) -> Tools {
        let git = repository.git ?? configuration.git
        let credentials = try GitAccess.credentials(git)
        let forge = try GitAccess.forge(git, url: repository.url)
        do {
            let mirror = try mirror(of: repository.url, credentials)
            return Tools(
                mirror: RepositoryMirror(git: mirror, url: repository.url), registry: registry,
                builder: builder.with(fetcher: fetcher(for: repository, credentials)), poller: poller,
                index: ManifestIndex(), git: git, forge: forge,
                reuse: sharesScans ? (repository.interval ?? configuration.interval).components.seconds / 2 : 0)
        } catch {
            throw AgentError(error.summary, place: error.place, cause: error.cause, hint: error.hint)
        }
    }
}
