import Git
import Glibc

/// Whether the remotes that are reached by SSH can be: the key, and the server's key. Blocks.
struct SSHCheck {
    let library: SSHLibrary
    private(set) var problems: [ConfigurationProblem] = []
    private var keys: Set<String> = []
    private var servers: Set<String> = []

    init(library: SSHLibrary) { self.library = library }

    /// - Parameters:
    ///   - git: what holds for the repository.
    ///   - gitKey: where the configuration says it: `git`, or `repositories[0].git`.
    mutating func check(
        _ repository: AgentConfiguration.RepositoryConfiguration, at key: String,
        git: AgentConfiguration.GitConfiguration, gitKey: String
    ) {
        guard let url = try? RemoteURL(repository.url),
            let server = url.recordedHostKeys(in: git.knownHosts.map { [$0] })
        else { return }
        checkServer(
            server, isConfigured: git.knownHosts != nil,
            key: git.knownHosts == nil ? "\(key).url" : "\(gitKey).knownHosts")
        checkKey(git, gitKey, host: url.host ?? "", url: "\(key).url")
    }

    // MARK: The server's key

    private mutating func checkServer(_ server: RecordedHostKeys, isConfigured: Bool, key: String) {
        // A file that is not there is told elsewhere.
        if isConfigured, server.files.contains(where: { access($0, R_OK) != 0 }) { return }
        guard servers.insert("\(server.name) \(server.files)").inserted else { return }
        let files = server.files.joined(separator: " and ")
        let scan = "\(server.scanCommand) >> \(server.files.first ?? "known_hosts")"
        if server.types.isEmpty {
            problems.append(
                ConfigurationProblem(
                    .unknownHostKey, "no SSH host key of \(server.name) is in \(files)", key: key,
                    hint: "add it, after comparing its fingerprint with the one that the host publishes: \(scan)"))
        } else if !library.signsRSAWithSHA2, server.types == ["ssh-rsa"] {
            problems.append(
                ConfigurationProblem(
                    .rsaHostKey, "only the RSA host key of \(server.name) is in \(files)", severity: .warning, key: key,
                    cause:
                        "libssh2 \(library.version ?? "") verifies RSA host keys by SHA-1 only, which OpenSSH from 8.8 on "
                        + "does not offer",
                    hint: "add the ed25519 or ECDSA key: \(scan)"))
        }
    }

    // MARK: Our key

    private mutating func checkKey(
        _ git: AgentConfiguration.GitConfiguration, _ gitKey: String, host: String, url: String
    ) {
        let key = git.sshKey == nil ? url : "\(gitKey).sshKey"
        guard let path = git.sshKey ?? GitAccess.firstKey() else {
            let hasAgent = git.usesSSHAgent && getenv("SSH_AUTH_SOCK") != nil
            if !hasAgent, git.passwordFile == nil, keys.insert(key).inserted {
                problems.append(
                    ConfigurationProblem(
                        .noKey, "there is no SSH key for \(host)", key: key,
                        hint: "name one as 'git.sshKey', or start an SSH agent and set SSH_AUTH_SOCK"))
            }
            return
        }
        // A file that is not there is told elsewhere.
        guard let bytes = try? TextFile.read(path, limit: 1 << 20), !bytes.isEmpty,
            keys.insert("\(path) \(host)").inserted
        else { return }
        do throws(SSHPrivateKey.Failure) {
            let found = try SSHPrivateKey(bytes)
            checkAlgorithm(found.algorithm, path, key, host: host)
            if found.isEncrypted, git.sshPassphraseFile == nil, keys.insert("\(path) passphrase").inserted {
                problems.append(
                    ConfigurationProblem(
                        .missingPassphrase, "\(path) is encrypted, and there is no passphrase for it", key: key,
                        hint: "name a file with the passphrase as 'sshPassphraseFile'"))
            }
        } catch {
            guard keys.insert("\(path) format").inserted else { return }
            problems.append(Self.unusable(error, path, key))
        }
    }

    private static func unusable(
        _ failure: SSHPrivateKey.Failure, _ path: String, _ key: String
    ) -> ConfigurationProblem {
        switch failure {
        case .publicKey:
            ConfigurationProblem(
                .unusableKey, "\(path) is a public key", key: key,
                hint: "name the file without .pub, which holds the private key")
        case .putty:
            ConfigurationProblem(
                .unusableKey, "\(path) is a key of PuTTY's", key: key,
                hint: "convert it: puttygen KEY.ppk -O private-openssh -o KEY")
        case .notAKey:
            ConfigurationProblem(
                .unusableKey, "\(path) holds no SSH private key", key: key,
                hint: "make one with: ssh-keygen -t ed25519 -f FILE")
        }
    }

    private mutating func checkAlgorithm(
        _ algorithm: SSHPrivateKey.Algorithm, _ path: String, _ key: String, host: String
    ) {
        switch algorithm {
        case .ed25519, .ecdsa, .unknown: return
        case .dsa, .securityKey:
            problems.append(
                ConfigurationProblem(
                    .unusableKey,
                    algorithm == .dsa
                        ? "\(path) is a DSA key, which servers refuse"
                        : "\(path) is kept in a security key, which an agent cannot touch",
                    key: key, hint: "make another one with: ssh-keygen -t ed25519 -f FILE"))
        case .rsa:
            guard !library.signsRSAWithSHA2 else { return }
            let isGitHub = ["github.com", "ssh.github.com"].contains(host.lowercased())
            problems.append(
                ConfigurationProblem(
                    .sha1Signature,
                    isGitHub
                        ? "\(path) is an RSA key, which \(host) refuses here"
                        : "\(path) is an RSA key, which \(host) accepts only if it still takes SHA-1 signatures",
                    severity: isGitHub ? .error : .warning, key: key,
                    cause: "libssh2 \(library.version ?? "") signs with SHA-1 only; "
                        + (isGitHub
                            ? "GitHub refuses that for RSA keys added since November 2021"
                            : "OpenSSH from 8.8 on refuses that"),
                    hint: "make another one with: ssh-keygen -t ed25519 -f FILE"))
        }
    }
}
