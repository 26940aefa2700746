import Git
import Notifications

/// A file that the configuration names.
struct ConfiguredFile: Sendable, Hashable {
    enum Kind: Sendable, Hashable {
        /// A password, a token, a passphrase: the text without its line end.
        case secret
        /// `user:password`.
        case userAndPassword
        case sshPrivateKey
        case signingKey
        case knownHosts
        case allowedSigners
        case keyring
        /// PEM files: of authorities; of a client, with its key in the same file or in another one; of a key, a client's or the agent's own.
        case certificates
        case clientCertificate(holdsKey: Bool)
        case clientKey
        /// A `config.json` with registry credentials, or the directory of one.
        case dockerConfig
        case kubeconfig
    }

    /// `git.sshKey`.
    let key: String
    let path: String
    let kind: Kind
}

/// Every key that names a file, and what has to be in it. A key that is added to the reader belongs here, too.
enum ConfiguredFiles {
    typealias Git = AgentConfiguration.GitConfiguration
    typealias Registry = AgentConfiguration.RegistryEntry

    /// Below `git:`, for all repositories and for one.
    static let git: [(key: String, path: @Sendable (Git) -> String?, kind: ConfiguredFile.Kind)] = [
        ("passwordFile", { $0.passwordFile }, .secret),
        ("tokenFile", { $0.tokenFile }, .secret),
        ("github.privateKeyFile", { $0.github?.privateKeyFile }, .clientKey),
        ("sshKey", { $0.sshKey }, .sshPrivateKey),
        ("sshPassphraseFile", { $0.sshPassphraseFile }, .secret),
        ("knownHosts", { $0.knownHosts }, .knownHosts),
        ("caFile", { $0.caFile }, .certificates),
        ("proxyCredentialsFile", { $0.proxyCredentialsFile }, .userAndPassword),
        ("commit.signing.keyFile", { $0.commit.signing?.keyFile }, .signingKey),
        ("commit.signing.passphraseFile", { $0.commit.signing?.passphraseFile }, .secret),
        ("verify.allowedSigners", { $0.verification.trust.allowedSignersFile }, .allowedSigners),
        ("verify.keyring", { $0.verification.trust.keyringFile }, .keyring),
        ("pullRequest.tokenFile", { $0.pullRequest?.tokenFile }, .secret),
        ("status.tokenFile", { $0.status?.tokenFile }, .secret),
    ]

    /// Below each entry of `registries:`.
    static let registry: [(key: String, file: @Sendable (Registry) -> (path: String, kind: ConfiguredFile.Kind)?)] = [
        ("caFile", { $0.caFile.map { ($0, .certificates) } }),
        (
            "clientCert",
            { entry in entry.clientCertificate.map { ($0, .clientCertificate(holdsKey: entry.clientKey == nil)) } }
        ),
        ("clientKey", { $0.clientKey.map { ($0, .clientKey) } }),
    ]

    /// At the top.
    static let top: [(key: String, path: @Sendable (AgentConfiguration) -> String?, kind: ConfiguredFile.Kind)] = [
        ("dockerConfig", { $0.dockerConfig }, .dockerConfig),
        ("tls.certFile", { $0.tls?.certFile }, .certificates),
        ("tls.keyFile", { $0.tls?.keyFile }, .clientKey),
        ("cluster.kubeconfig", { $0.cluster.kubeconfig }, .kubeconfig),
        ("api.tokenFile", { $0.api.tokenFile }, .secret),
        ("api.readTokenFile", { $0.api.readTokenFile }, .secret),
    ]

    static func of(_ git: Git, at prefix: String) -> [ConfiguredFile] {
        self.git.compactMap { entry in
            entry.path(git).map { ConfiguredFile(key: "\(prefix).\(entry.key)", path: $0, kind: entry.kind) }
        }
    }

    static func of(_ registry: Registry, at prefix: String) -> [ConfiguredFile] {
        self.registry.compactMap { entry in
            entry.file(registry).map { ConfiguredFile(key: "\(prefix).\(entry.key)", path: $0.path, kind: $0.kind) }
        }
    }

    static func of(_ receiver: WebhookConfiguration.Receiver, at prefix: String) -> [ConfiguredFile] {
        receiver.secretFiles.map { ConfiguredFile(key: "\(prefix).secretFile", path: $0, kind: .secret) }
    }

    static func of(_ channel: any NotificationChannel, at prefix: String) -> [ConfiguredFile] {
        channel.files.map { file in
            ConfiguredFile(
                key: "\(prefix).\(file.key)", path: file.path,
                kind: file.content == .certificates ? .certificates : .secret)
        }
    }

    static func of(_ configuration: AgentConfiguration) -> [ConfiguredFile] {
        top.compactMap { entry in
            entry.path(configuration).map { ConfiguredFile(key: entry.key, path: $0, kind: entry.kind) }
        }
    }
}
