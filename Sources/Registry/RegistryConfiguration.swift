package import HTTP
package import OCI

/// What is known about registries before one is asked.
package struct RegistryConfiguration: Sendable {
    /// Where a host's repositories really are, in order: `HOST[/PREFIX]`, or `oci:/DIRECTORY` with one layout for each
    /// repository below it.
    package var maps: [(from: String, to: [String])] = []
    /// Where a host's images are looked for first when they are read; nothing is written there.
    package var mirrors: [(from: String, to: [String])] = []
    /// Hosts that are not asked themselves when their maps and mirrors do not have an image.
    package var withoutFallback: Set<String> = []
    /// Hosts spoken to in plain HTTP: `host:port`, `host` for all its ports, `*` for all.
    package var insecureRegistries: Set<String> = []
    /// Hosts that are spoken to in plain HTTP where they do not speak TLS; in the forms of `insecureRegistries`.
    package var plainFallback: Set<String> = []
    /// The same for this machine and for private networks: `localhost`, `*.local`, loopback and RFC 1918 addresses.
    package var fallsBackToPlainLocally = false
    /// Whether no certificate is checked at all.
    package var skipsAllTLSVerification = false
    /// A directory with a layout for each repository (`HOST/PATH`), from which content is read rather than from there.
    package var imageCache: String?
    /// Hosts whose certificate is not checked.
    package var skipTLSVerify: Set<String> = []
    /// Certificates (PEM files) trusted for a host beside the system's.
    package var certificateBundles: [String: String] = [:]
    /// As `HTTPConfiguration.systemBundle`.
    package var systemBundle: String?
    /// What else holds for single hosts: `host:port`, or `host` for all its ports.
    package var hosts: [String: HostOptions] = [:]
    /// `HTTP_PROXY` and its like of this process.
    package var proxies = Proxies.environment
    package var userAgent = "slipway"
    package var retry = RetryPolicy()
    /// Seconds to resolve, connect and shake hands; seconds in which a transfer must move; seconds that a document may take.
    package var connectTimeout = 15
    package var stallTimeout = 60
    package var documentTimeout = 300
    /// Seconds for the answer to an upload: registries hash the whole before they give it.
    package var uploadTimeout = 300

    package init() {}

    /// What holds for one host beside trust.
    package struct HostOptions: Sendable, Hashable {
        /// Requests at the same time, of all kinds; `nil`: `transfers` of blobs, and beside them `questions`.
        package var concurrency: Int?
        /// Requests a second; `nil`: as many as the host takes.
        package var requestsPerSecond: Double?
        /// Bytes of a part, for registries or servers before them that refuse large bodies; `nil`: blobs are sent whole.
        package var uploadChunk: Int64?
        /// `http://proxy:3128` for this host, an empty text for none; `nil`: as the environment says.
        package var proxy: String?
        /// The certificate (PEM) that this host wants to see, and its key where it is in another file.
        package var clientCertificate: String?
        package var clientKey: String?

        /// Blobs on their way to or from a host at the same time: they share its bandwidth.
        static let transfers = 8
        /// Manifests, configurations and lists of tags at the same time: these wait for the host's answer and for little else.
        static let questions = 32

        package init() {}
    }

    func options(_ host: String) -> HostOptions {
        let host = Self.canonical(host)
        let named = Dictionary(
            hosts.map { (Self.canonical($0.key), $0.value) }, uniquingKeysWith: { first, _ in first })
        return named[host] ?? named[Self.canonical(Self.name(of: host))] ?? HostOptions()
    }

    /// One name for a registry of several names.
    static func canonical(_ host: String) -> String {
        let host = host.lowercased()
        return ["index.docker.io", "registry-1.docker.io"].contains(host) ? Reference.defaultRegistry : host
    }

    func isInsecure(_ host: String) -> Bool { Self.covers(insecureRegistries, host) }

    /// Whether plain HTTP is taken from a host that does not speak TLS.
    func mayBePlain(_ host: String) -> Bool {
        Self.covers(plainFallback, host) || (fallsBackToPlainLocally && LocalHost.contains(Self.name(of: host)))
    }

    private static func covers(_ entries: Set<String>, _ host: String) -> Bool {
        let host = canonical(host)
        return entries.contains { entry in
            entry == "*" || canonical(entry) == host || canonical(entry) == canonical(name(of: host))
        }
    }

    /// The URL at which a host's API is.
    func endpoint(_ host: String) -> String {
        let host = Self.canonical(host)
        let name = host == Reference.defaultRegistry ? "registry-1.docker.io" : host
        return "\(isInsecure(host) ? "http" : "https")://\(name)/"
    }

    /// The same without TLS, for a host that may be spoken to like that when TLS fails; `nil` for all others.
    func plainEndpoint(_ host: String) -> String? {
        let host = Self.canonical(host)
        let name = host == Reference.defaultRegistry ? "registry-1.docker.io" : host
        return !isInsecure(host) && mayBePlain(host) ? "http://\(name)/" : nil
    }

    var http: HTTPConfiguration {
        var http = HTTPConfiguration()
        http.userAgent = userAgent
        // Each host has a bound of its own; these are for several hosts.
        http.concurrency = 3 * HostOptions.questions
        http.idleConnections = 2 * HostOptions.questions
        http.systemBundle = systemBundle
        // Each host for itself: a token service at another port of the host is another one.
        http.plainHTTP = .hosts(Set(insecureRegistries.union(plainFallback).map(Self.key)))
        http.allowsPlainHTTPLocally = fallsBackToPlainLocally
        http.skipsVerification = skipsAllTLSVerification
        for host in skipTLSVerify { http.trust[Self.key(host), default: .init()].skipsVerification = true }
        for (host, file) in certificateBundles { http.trust[Self.key(host), default: .init()].certificateBundle = file }
        http.proxies = proxies
        http.connectTimeout = connectTimeout
        http.stallTimeout = stallTimeout
        http.timeout = documentTimeout
        for (host, options) in hosts {
            let key = Self.key(host)
            if let proxy = options.proxy { http.proxies.byHost[key] = proxy }
            if let certificate = options.clientCertificate {
                http.trust[key, default: .init()].clientCertificate = certificate
                http.trust[key, default: .init()].clientKey = options.clientKey
            }
        }
        return http
    }

    private static func key(_ host: String) -> String {
        let host = canonical(host)
        return host == Reference.defaultRegistry ? "registry-1.docker.io" : host
    }

    /// The host without its port.
    private static func name(of host: String) -> String {
        if host.hasPrefix("[") { return host.firstIndex(of: "]").map { String(host[...$0]) } ?? host }
        return String(host.prefix { $0 != ":" })
    }

    /// Where a repository is to be looked for, in order; without the place that was asked for.
    func mapped(_ location: RepositoryLocation) -> [RepositoryLocation] { targets(of: location, in: maps) }

    /// Where a repository is to be read from, in order: maps, mirrors, and the place that was asked for.
    package func readable(_ location: RepositoryLocation) -> [RepositoryLocation] {
        let targets = mapped(location) + targets(of: location, in: mirrors)
        guard case .registry(let host, _) = location, !targets.isEmpty,
            withoutFallback.contains(where: { Self.canonical($0) == Self.canonical(host) })
        else { return targets + [location] }
        return targets
    }

    private func targets(
        of location: RepositoryLocation, in maps: [(from: String, to: [String])]
    ) -> [RepositoryLocation] {
        guard case .registry(let host, let path) = location else { return [] }
        let asked = Self.canonical(host)
        var result: [RepositoryLocation] = []
        for map in maps where Self.canonical(map.from) == asked {
            for target in map.to { result.append(Self.target(target, path)) }
        }
        return result
    }

    private static func target(_ text: String, _ path: String) -> RepositoryLocation {
        if text.hasPrefix("oci:"), case .layout(let directory)? = try? RepositoryLocation(text) {
            return .layout(path: directory == "/" ? "/\(path)" : "\(directory)/\(path)")
        }
        var rest = text[...]
        for scheme in ["https://", "http://"] where rest.hasPrefix(scheme) { rest = rest.dropFirst(scheme.count) }
        let parts = rest.split(separator: "/", maxSplits: 1).map(String.init)
        let prefix = parts.count == 2 ? parts[1].split(separator: "/").joined(separator: "/") + "/" : ""
        return .registry(host: canonical(parts.first ?? ""), path: prefix + path)
    }
}
