import Builder
import Cryptography
import Git
import JSON
import OCI
import Registry

/// What a build proves who asks with: the repository's git credentials, and those of the registries that it reads and writes.
struct JobSecrets: Sendable {
    var git = GitCredentials()
    var sshKey: [UInt8]?
    var knownHosts: [UInt8]?
    var gitAuthorities: [UInt8]?
    /// A `config.json`; `nil` where none of the registries wants credentials.
    var registries: [UInt8]?

    init() {}

    /// Reads them from where they are now.
    ///
    /// - Parameter repositories: that the build reads images from and pushes to.
    static func read(
        git settings: AgentConfiguration.GitConfiguration, of url: String, keychain: Keychain,
        for repositories: Set<RepositoryLocation>
    ) async throws(BuildError) -> JobSecrets {
        var secrets = JobSecrets()
        do throws(AgentError) {
            secrets.git = try await GitAccess.current(settings, of: url)
            func file(_ path: String?) throws(AgentError) -> [UInt8]? {
                try path.map { (path) throws(AgentError) in try TextFile.read(path, limit: 1 << 20) }
            }
            if !url.hasPrefix("http://"), !url.hasPrefix("https://") {
                secrets.sshKey = try file(secrets.git.sshKeyPath)
                for path in secrets.git.knownHostsPaths ?? [] {
                    secrets.knownHosts = (secrets.knownHosts ?? []) + (try TextFile.read(path, limit: 1 << 20)) + [0x0a]
                }
            }
            secrets.gitAuthorities = try file(secrets.git.caFile)
        } catch {
            throw BuildError(.context, "cannot read the git credentials for the Job", from: error, isTransient: true)
        }
        do throws(RegistryError) {
            secrets.registries = try await dockerConfiguration(keychain, repositories)
        } catch {
            throw BuildError(.registry, "cannot read the registry credentials for the Job", from: error)
        }
        return secrets
    }

    /// Each repository for itself: what else the credentials open is left out.
    private static func dockerConfiguration(
        _ keychain: Keychain, _ repositories: Set<RepositoryLocation>
    ) async throws(RegistryError) -> [UInt8]? {
        var entries: [String: JSONValue] = [:]
        for case .registry(let host, let path) in repositories {
            switch try await keychain.credentials(host: host, path: path) {
            case .anonymous: continue
            case .basic(let user, let password):
                entries["\(host)/\(path)"] = ["auth": .string(Encoding.base64(Array("\(user):\(password)".utf8)))]
            case .identityToken(let token): entries["\(host)/\(path)"] = ["identitytoken": .string(token)]
            case .registryToken(let token): entries["\(host)/\(path)"] = ["registrytoken": .string(token)]
            }
        }
        guard !entries.isEmpty else { return nil }
        let document: JSONValue = ["auths": .object(entries)]
        return document.encoded
    }
}

extension BuildError {
    fileprivate init(_ code: Code, _ summary: String, from error: AgentError, isTransient: Bool) {
        self.init(code, summary, from: error)
        self.isTransient = isTransient
    }
}
