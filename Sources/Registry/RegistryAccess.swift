package import ContentStore
import Glibc
import HTTP
package import OCI
import Synchronization

/// Opens repositories wherever they are: registries with their credentials, mirrors and maps, and layouts on disk.
///
/// Copies share connections and tokens.
package struct RegistryAccess: Sendable {
    package let configuration: RegistryConfiguration
    private let hosts: Hosts
    /// How registries are reached to read images, where that is another matter than to write them.
    private let pulling: (configuration: RegistryConfiguration, hosts: Hosts)?
    private let manifests = ManifestMemory()
    /// Where many ask for the same images within a short time.
    private var resolutions: ImageResolutions?

    /// - Parameter pulling: how images are read; `nil`: as they are written.
    package init(
        configuration: RegistryConfiguration = RegistryConfiguration(), pulling: RegistryConfiguration? = nil,
        keychain: Keychain = .standard
    ) {
        self.configuration = configuration
        let endpoints = RegistryEndpoints()
        hosts = Hosts(configuration, keychain, endpoints)
        self.pulling = pulling.map { ($0, Hosts($0, keychain, endpoints)) }
    }

    /// The repository to write to and to scan: the first place that the maps give, else the one that was asked for.
    package func repository(_ location: RepositoryLocation) throws(RegistryError) -> any ImageRepository {
        open(configuration.mapped(location).first ?? location)
    }

    /// The repositories to read an image from: those that maps and mirrors give, in order, then the one that was asked for.
    package func pullCandidates(_ location: RepositoryLocation) -> [any ImageRepository] {
        let candidates = (pulling?.configuration ?? configuration).readable(location).map { open($0, isRead: true) }
        // Wherever it is read from, it is kept under the name that was asked for.
        guard case .registry(let host, let path) = location, let folder = pulling?.configuration.imageCache,
            !path.utf8.contains(0), access("\(folder)/\(host)/\(path)/index.json", R_OK) == 0
        else { return candidates }
        let cache = LayoutRepository(path: "\(folder)/\(host)/\(path)")
        return candidates.map { CachedRepository(origin: $0, cache: cache) }
    }

    /// The names of a registry's repositories. `unsupported` where the registry has no catalog.
    package func catalog(host: String) async throws(RegistryError) -> [String] {
        try await RegistryCatalog(host: hosts.host(host)).repositories()
    }

    /// Finds an image for a platform; `nil` when no candidate has it. A candidate that fails is passed over as long as
    /// another has the image.
    ///
    /// - Parameter store: where the configuration is not asked for again that it has.
    package func resolve(
        _ location: ImageLocation, platform: Platform, knowing store: ContentStore? = nil
    ) async throws(RegistryError) -> ResolvedImage? {
        guard let resolutions else { return try await resolveNow(location, platform, store) }
        return try await resolutions.image(location, platform) { () async throws(RegistryError) in
            try await resolveNow(location, platform, store)
        }
    }

    /// The same registries, in which each image is looked for once: for as long as that is short, such as a cycle's decisions.
    ///
    /// - Parameter changing: repositories that get new images meanwhile, which are looked at each time.
    package func rememberingImages(butOf changing: Set<RepositoryLocation>) -> RegistryAccess {
        var copy = self
        copy.resolutions = ImageResolutions(butOf: changing)
        return copy
    }

    private func resolveNow(
        _ location: ImageLocation, _ platform: Platform, _ store: ContentStore?
    ) async throws(RegistryError) -> ResolvedImage? {
        var failures = PullFailures()
        for repository in pullCandidates(location.repository) {
            do {
                let image = try await RememberingRepository(origin: repository, memory: manifests).resolve(
                    tag: location.tag, digest: location.digest, platform, knowing: store)
                if let image { return image.found(in: repository) }
                failures.add(missing: repository.location)
            } catch {
                if error.code == .cancelled || error.code == .platformMissing { throw error }
                failures.add(error)
            }
        }
        if let failure = failures.error { throw failure }
        return nil
    }

    private func open(_ location: RepositoryLocation, isRead: Bool = false) -> any ImageRepository {
        var (configuration, hosts) = (configuration, hosts)
        if isRead, let pulling { (configuration, hosts) = pulling }
        switch location {
        case .layout(let path): return LayoutRepository(path: path, configuration: configuration)
        case .registry(let host, let path):
            return RemoteRepository(host: hosts.host(host), path: path, configuration: configuration)
        }
    }
}

/// One `RegistryHost` for each host, over one client.
private final class Hosts: Sendable {
    private let configuration: RegistryConfiguration
    private let keychain: Keychain
    private let client: HTTPClient
    private let endpoints: RegistryEndpoints
    private let known = Mutex<[String: RegistryHost]>([:])

    init(_ configuration: RegistryConfiguration, _ keychain: Keychain, _ endpoints: RegistryEndpoints) {
        self.configuration = configuration
        self.keychain = keychain
        self.endpoints = endpoints
        client = HTTPClient(configuration.http)
    }

    func host(_ name: String) -> RegistryHost {
        let name = RegistryConfiguration.canonical(name)
        return known.withLock { known in
            if let host = known[name] { return host }
            let host = RegistryHost(
                name: name,
                endpoint: endpoints.endpoint(configuration.endpoint(name), plain: configuration.plainEndpoint(name)),
                client: client, keychain: keychain, retry: configuration.retry, options: configuration.options(name))
            known[name] = host
            return host
        }
    }
}
