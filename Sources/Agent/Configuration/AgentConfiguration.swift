package import Builder
package import Git
package import OCI
package import Registry
package import Sandbox

/// All that the agent is told: `config/agent.yaml` is the annotated sample, `config/schema/agent.schema.json` the schema.
package struct AgentConfiguration: Sendable {
    package var stateDirectory: String
    /// How often git and the registries are looked at, where a repository says nothing else.
    package var interval: Duration = .seconds(60)
    /// Where the status server listens, `HOST:PORT`; `nil` for none.
    package var listen: String?
    /// What certificate is shown there, and where webhooks are taken; `nil`: HTTP without TLS.
    package var tls: TLSSettings?
    /// Who may use the API by that address.
    package var api = APISettings()
    /// `nil`: nobody may tell.
    package var webhooks: WebhookConfiguration?
    /// `nil`: nobody is told of anything.
    package var notifications: NotificationSettings?
    package var log = LogSettings()
    package var isolation: IsolationChoice = .auto
    package var builder: BuilderChoice = .embedded
    package var git = GitConfiguration()
    package var registries: [RegistryEntry] = []
    /// A `config.json` with registry credentials; `nil` for Docker's own places.
    package var dockerConfig: String?
    package var builds = BuildsConfiguration()
    /// How much is kept of what the agent did; as it is when the agent starts.
    package var history = HistoryStore.Limits()
    /// Where objects are applied, and Jobs build.
    package var cluster = ClusterSettings()
    /// `nil`: the agent has no replicas.
    package var election: ElectionSettings?
    package var repositories: [RepositoryConfiguration] = []

    package init(stateDirectory: String) { self.stateDirectory = stateDirectory }

    package enum IsolationChoice: String, Sendable, CaseIterable {
        case auto, namespaces, chroot
        case inPlace = "in-place"

        /// `nil`: the strongest that the machine allows.
        package var mode: IsolationMode? { IsolationMode(rawValue: rawValue) }
    }

    /// What holds for the builds of all repositories.
    package struct BuildsConfiguration: Sendable {
        /// Other git repositories for which each repository's own git credentials may be used.
        package var credentials: [RepositoryPlace] = []
        /// How many builds may run at once in the whole agent.
        package var concurrency = BuildQueue.defaultConcurrency
        /// Whether the same commit gives the same digest on any machine, where a build says nothing else.
        package var isReproducible = false
        /// How long one RUN step may take.
        package var stepTimeout: Duration = .seconds(3_600)
        /// Bytes of memory that one RUN step may take.
        package var stepMemory: Int64?
        /// Processes that one RUN step may have at a time.
        package var stepProcesses: Int?
        /// Bytes of output that a RUN step may print.
        package var logLimit: Int?
        /// Bytes that a layer or an archive may unpack to.
        package var unpackLimit: Int64?
        /// Bytes that one file of a context may have.
        package var contextFileLimit: Int64 = 8 << 30
        /// What is brought into contexts from outside of their repositories, where a build says nothing else.
        package var fetched = FetchedContent.nothing
        /// The step cache that machines share.
        package var cacheRepository: RepositoryLocation?
        /// How long what is in a cache counts.
        package var cacheTTL: Duration?
        /// Bytes that layers, blobs, cache mounts and git mirrors of builds may have together.
        package var cacheMaxSize: Int64?
        /// Bytes of the disk that stay free, and files that can still be made there.
        package var cacheMinFree: Int64?
        package var cacheMinFreeInodes: Int64?

        package init() {}

        /// What is kept on this machine.
        package var storeLimits: StoreLimits {
            var limits = StoreLimits(minFree: cacheMinFree, minFreeInodes: cacheMinFreeInodes)
            if let cacheTTL { limits.age = cacheTTL }
            if let cacheMaxSize { limits.size = cacheMaxSize }
            return limits
        }

        /// What a pipeline's contexts get from outside of the repository.
        func fetched(for pipeline: Pipeline) -> FetchedContent {
            FetchedContent(
                submodules: pipeline.fetchesSubmodules ?? fetched.submodules,
                largeFiles: pipeline.fetchesLargeFiles ?? fetched.largeFiles)
        }

        /// What a request says by these settings.
        func apply(to request: inout BuildRequest, of pipeline: Pipeline, now: Int64) {
            request.isReproducible = pipeline.isReproducible ?? isReproducible
            request.stepTimeout = stepTimeout
            request.stepMemoryLimit = stepMemory
            if let stepProcesses { request.stepProcessLimit = stepProcesses }
            request.contextFileLimit = contextFileLimit
            if let logLimit { request.stepOutputLimit = logLimit }
            guard let cacheRepository else { return }
            var cache = RemoteCache(repository: cacheRepository, now: now)
            cache.age = cacheTTL
            request.remoteCache = cache
        }
    }

    /// What holds for one registry host.
    package struct RegistryEntry: Sendable, Hashable {
        package var host: String
        /// Where to go instead, tried in order: `host[/prefix]` or `oci:/path`.
        package var map: [String] = []
        package var insecure = false
        package var skipTLSVerify = false
        package var caFile: String?
        /// Where to look first when images are read, and only then.
        package var mirrors: [String] = []
        /// Whether the host itself is asked when its maps and mirrors do not have an image.
        package var fallback = true
        /// PEM files of the certificate that is shown to the host, and of its key.
        package var clientCertificate: String?
        package var clientKey: String?
        /// A proxy's URL, or an empty text for none; `nil`: as the environment says.
        package var proxy: String?
        package var concurrency: Int?
        package var requestsPerSecond: Int?
        /// Mebibytes of the parts in which blobs are uploaded; `nil`: whole.
        package var uploadChunk: Int?

        package init(host: String) { self.host = host }
    }

    package struct RepositoryConfiguration: Sendable {
        package var name: String
        package var url: String
        package var branch: String
        package var interval: Duration?
        /// What holds for git here; `nil`: what holds for all repositories.
        package var git: GitConfiguration?
        /// Other addresses of the same repository, as build manifests may name it.
        package var aliases: [String] = []
        package var builds: [Pipeline] = []
        package var discoversKaniko = true
        package var updatesManifests = true
        /// Which files are looked at for image references; `*` and `**` as in ignore files.
        package var updatePaths: [String] = []
        package var policies: [PolicyOverride] = []
        /// Named contexts for every build of the repository (`--build-context`).
        package var contexts: [String: NamedContext] = [:]
        package var allowed = AllowedImages()
        /// `nil`: nothing is applied.
        package var apply: ApplySettings?

        package init(name: String, url: String, branch: String) {
            self.name = name
            self.url = url
            self.branch = branch
        }
    }

    /// A policy for an image, for workloads that are automated without a filter of their own.
    package struct PolicyOverride: Sendable, Hashable {
        package var image: RepositoryLocation
        package var policy: String

        package init(image: RepositoryLocation, policy: String) {
            self.image = image
            self.policy = policy
        }
    }
}

extension AgentConfiguration {
    /// The registries' part, as the registry client wants it.
    package var registryConfiguration: RegistryConfiguration {
        var configuration = RegistryConfiguration()
        for entry in registries {
            if !entry.map.isEmpty { configuration.maps.append((from: entry.host, to: entry.map)) }
            if entry.insecure { configuration.insecureRegistries.insert(entry.host) }
            if entry.skipTLSVerify { configuration.skipTLSVerify.insert(entry.host) }
            if let file = entry.caFile { configuration.certificateBundles[entry.host] = file }
            if !entry.mirrors.isEmpty { configuration.mirrors.append((from: entry.host, to: entry.mirrors)) }
            if !entry.fallback { configuration.withoutFallback.insert(entry.host) }
            var options = RegistryConfiguration.HostOptions()
            options.clientCertificate = entry.clientCertificate
            options.clientKey = entry.clientKey
            options.proxy = entry.proxy
            if let concurrency = entry.concurrency { options.concurrency = concurrency }
            options.requestsPerSecond = entry.requestsPerSecond.map { Double($0) }
            options.uploadChunk = entry.uploadChunk.map { Int64($0) << 20 }
            configuration.hosts[entry.host] = options
        }
        return configuration
    }
}
