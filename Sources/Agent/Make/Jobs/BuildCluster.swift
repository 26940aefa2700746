import Builder
import Cluster
import OCI
import Registry
import Synchronization

/// Where the Jobs of an agent's builds run.
struct BuildCluster: Sendable {
    let client: ClusterClient
    let namespace: String
    let template: JobTemplate
    let configuration: AgentConfiguration
    let keychain: Keychain
    /// Whether the agent leaves: its Jobs go on without it.
    let isLeaving: @Sendable () async -> Bool

    /// - Parameter endpoint: of the API server.
    init(
        _ endpoint: ClusterEndpoint, template: JobTemplate, configuration: AgentConfiguration, keychain: Keychain,
        isLeaving: @escaping @Sendable () async -> Bool
    ) {
        client = ClusterClient(endpoint, userAgent: Version.userAgent)
        namespace = template.namespace ?? endpoint.namespace
        self.template = template
        self.configuration = configuration
        self.keychain = keychain
        self.isLeaving = isLeaving
    }

    /// The cluster of a configuration; `nil` where it does not ask for Jobs.
    static func open(
        _ configuration: AgentConfiguration, dispatcher: BuildDispatcher
    ) throws(AgentError) -> BuildCluster? {
        guard configuration.builder == .kubernetes, let template = configuration.cluster.builds else { return nil }
        return BuildCluster(
            try configuration.cluster.endpoint(for: "to build in"), template: template, configuration: configuration,
            keychain: Fleet.keychain(configuration), isLeaving: { await dispatcher.isLeaving })
    }

    /// A builder of one repository's images.
    ///
    /// - Parameter local: what takes no build.
    func builder(
        of repository: AgentConfiguration.RepositoryConfiguration, besides local: any ImageBuilding
    ) -> any ImageBuilding {
        KubernetesBuilder(local: local, cluster: self, repository: repository)
    }

    /// Where images of a repository may be read.
    func readable(_ location: RepositoryLocation) -> [RepositoryLocation] {
        configuration.registryConfiguration.readable(location)
    }
}

extension BuildRequest {
    /// The Dockerfile as far as it can be read without looking at the whole context.
    func dockerfileText() async -> [UInt8]? {
        switch dockerfile {
        case .bytes(let bytes, _): return bytes
        case .path(let path):
            guard let entry = try? await context.entries(under: path).first(where: { $0.path == path }) else {
                return nil
            }
            let collected = Mutex<[UInt8]>([])
            try? await context.read(entry) { (bytes) throws(BuildError) in
                let piece = [UInt8](bytes)
                collected.withLock { $0 += piece }
            }
            return collected.withLock { $0 }
        }
    }
}
