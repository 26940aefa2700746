import Blocking
import FoundationEssentials
import Glibc

/// What a registry's door is opened with.
package enum Credentials: Sendable, Hashable {
    case anonymous
    case basic(user: String, password: String)
    /// An OAuth refresh token, exchanged at the token service.
    case identityToken(String)
    /// A token for the registry itself.
    case registryToken(String)
}

/// Finds the credentials for a host as Docker and Podman do, and where they find none, from the identity that this process
/// has in a cloud.
///
/// Looked for in this order, and read anew at each look-up because mounted secrets rotate: credentials given in code;
/// `SLIPWAY_REGISTRY`, `SLIPWAY_REGISTRY_USERNAME`, `SLIPWAY_REGISTRY_PASSWORD`; `DOCKER_AUTH_CONFIG` (the text of a file);
/// `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`; `$REGISTRY_AUTH_FILE` or
/// `$XDG_RUNTIME_DIR/containers/auth.json`; the cloud's own way for ECR, GAR, GCR and ACR.
///
/// A file may also be one of the two kinds of Kubernetes secrets for registries (`.dockerconfigjson`, `.dockercfg`); where a
/// directory is named, it is looked for by each of these names.
package struct Keychain: Sendable {
    private var given: [String: Credentials] = [:]
    private var text: String?
    private struct Place {
        /// Of these, the first that exists.
        var names: [String]
        /// Nobody named it: it is looked for where everybody's is.
        var isDefault = false
    }

    private var files: [Place] = []
    private var searchPath: String
    private var cloud: CloudKeychain?
    private var fallbacks: [String: Credentials] = [:]

    /// Knows nothing: everybody is anonymous.
    package static var empty: Keychain { Keychain(environment: [:]) }

    /// The keychain of this process's environment.
    package static var standard: Keychain {
        let names = [
            "DOCKER_AUTH_CONFIG", "DOCKER_CONFIG", "HOME", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "PATH",
            "SLIPWAY_REGISTRY", "SLIPWAY_REGISTRY_USERNAME", "SLIPWAY_REGISTRY_PASSWORD",
        ]
        var environment: [String: String] = [:]
        for name in names { environment[name] = getenv(name).map { String(cString: $0) } }
        var keychain = Keychain(environment: environment)
        keychain.cloud = CloudKeychain()
        return keychain
    }

    package init(environment: [String: String]) {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        text = value("DOCKER_AUTH_CONFIG")
        if let folder = value("DOCKER_CONFIG") ?? value("HOME").map({ "\($0)/.docker" }) {
            // kaniko's jobs also name the file itself.
            files.append(Place(names: Self.candidates(folder), isDefault: value("DOCKER_CONFIG") == nil))
        }
        if let file = value("REGISTRY_AUTH_FILE") ?? value("XDG_RUNTIME_DIR").map({ "\($0)/containers/auth.json" }) {
            files.append(Place(names: [file], isDefault: value("REGISTRY_AUTH_FILE") == nil))
        }
        searchPath = value("PATH") ?? "/usr/local/bin:/usr/bin:/bin"
        // A password is for one host, never for whichever is asked.
        if let host = value("SLIPWAY_REGISTRY"), let user = value("SLIPWAY_REGISTRY_USERNAME"),
            let password = value("SLIPWAY_REGISTRY_PASSWORD")
        {
            set(.basic(user: user, password: password), for: host)
        }
    }

    /// A keychain of one more file (a mounted secret) or the directory of one, asked before the others.
    package init(file: String, then other: Keychain = .standard) {
        self = other
        files.insert(Place(names: Self.candidates(file)), at: 0)
    }

    /// A file, or the names that it may have in a directory.
    private static func candidates(_ path: String) -> [String] {
        [path] + ["config.json", ".dockerconfigjson", ".dockercfg"].map { "\(path)/\($0)" }
    }

    /// The same with an identity in a cloud; for tests.
    func with(cloud: CloudKeychain) -> Keychain {
        var copy = self
        copy.cloud = cloud
        return copy
    }

    /// Credentials for a host, or for that of a URL, after all files.
    package mutating func setFallback(_ credentials: Credentials, for host: String) {
        guard let host = DockerConfiguration.covered(host)?.host else { return }
        fallbacks[host] = credentials
    }

    /// Only these clouds' identities are used: `ecr`, `google`, `acr`.
    package mutating func limit(toClouds names: Set<String>) { cloud = cloud.map { $0.limited(to: names) } }

    /// Credentials for a host, before all files.
    package mutating func set(_ credentials: Credentials, for host: String) {
        given[RegistryConfiguration.canonical(host)] = credentials
    }

    /// The credentials for a repository: those of the longest entry that covers it.
    package func credentials(host: String, path: String) async throws(RegistryError) -> Credentials {
        let host = RegistryConfiguration.canonical(host)
        if let credentials = given[host] { return credentials }
        let keychain = self
        let configurations = try await runBlocking { () throws(RegistryError) in try keychain.configurations() }
        for configuration in configurations {
            if let helper = configuration.helper(for: host) {
                let program = CredentialHelper(name: helper, searchPath: searchPath)
                let isOurs = CloudKeychain.helpers.contains(helper) && cloud != nil && !program.isInstalled
                if !isOurs, let found = try await program.credentials(for: host) { return found }
            }
            if let found = try configuration.entry(host: host, path: path) { return found }
        }
        if let credentials = fallbacks[host] { return credentials }
        return try await cloud?.credentials(for: host) ?? .anonymous
    }

    private func configurations() throws(RegistryError) -> [DockerConfiguration] {
        var result: [DockerConfiguration] = []
        if let text { result.append(try DockerConfiguration(Array(text.utf8), place: "DOCKER_AUTH_CONFIG")) }
        for place in files {
            for file in place.names {
                do {
                    guard let bytes = try SmallFile.read(file, limit: 1 << 20) else { continue }
                    result.append(try DockerConfiguration(bytes, place: file))
                } catch {
                    // A directory is looked into by the names that follow.
                    if error.isDirectory { continue }
                    if place.isDefault, error.isPermission { break }
                    if error.code == .io {
                        throw RegistryError(
                            .credentials, "the file of credentials cannot be read", place: file, cause: error.cause)
                    }
                    throw error
                }
                break
            }
        }
        return result
    }

    /// Files of credentials, or their directories, that are there by default and that this process may not read: registries are
    /// asked without them.
    package var unreadable: [String] {
        files.filter(\.isDefault).compactMap { place in
            place.names.first { access($0, R_OK) != 0 && errno == EACCES }
        }
    }
}
