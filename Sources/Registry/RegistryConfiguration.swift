import HTTP
import OCI

/// What is known about registries before one is asked.
package struct RegistryConfiguration: Sendable {
    /// Where a host's repositories really are, in order: `HOST[/PREFIX]`, or `oci:/DIRECTORY` with one layout for each
    /// repository below it.
    package var maps: [(from: String, to: [String])] = []
    /// Hosts spoken to in plain HTTP: `host:port`, `host` for all its ports, `*` for all.
    package var insecureRegistries: Set<String> = []
    /// Hosts whose certificate is not checked.
    package var skipTLSVerify: Set<String> = []
    /// Certificates (PEM files) trusted for a host beside the system's.
    package var certificateBundles: [String: String] = [:]
    package var userAgent = "slipway"
    package var retry = RetryPolicy()

    package init() {}

    /// One name for a registry of several names.
    static func canonical(_ host: String) -> String {
        let host = host.lowercased()
        return ["index.docker.io", "registry-1.docker.io"].contains(host) ? Reference.defaultRegistry : host
    }

    func isInsecure(_ host: String) -> Bool {
        let host = host.lowercased()
        return insecureRegistries.contains { entry in
            entry == "*" || entry.lowercased() == host || entry.lowercased() == Self.name(of: host)
        }
    }

    /// The URL at which a host's API is.
    func endpoint(_ host: String) -> String {
        let host = Self.canonical(host)
        let name = host == Reference.defaultRegistry ? "registry-1.docker.io" : host
        return "\(isInsecure(host) ? "http" : "https")://\(name)/"
    }

    var http: HTTPConfiguration {
        var http = HTTPConfiguration()
        http.userAgent = userAgent
        if insecureRegistries.contains("*") {
            http.plainHTTP = .everywhere
        } else {
            // The token service of an insecure registry may be at another port of its host.
            http.plainHTTP = .hosts(
                insecureRegistries.reduce(into: []) { $0.formUnion([$1.lowercased(), Self.name(of: $1.lowercased())]) })
        }
        for host in skipTLSVerify { http.trust[Self.key(host), default: .init()].skipsVerification = true }
        for (host, file) in certificateBundles { http.trust[Self.key(host), default: .init()].certificateBundle = file }
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
    func mapped(_ location: RepositoryLocation) -> [RepositoryLocation] {
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
