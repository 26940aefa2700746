package import Git
import OCI

/// For which git repositories credentials are used. A Dockerfile may name any of any host, also the agent's own.
package struct CredentialScope: Sendable {
    private enum Reach {
        /// A person builds, and says by the context whose hosts are meant. SSH keys are tried everywhere, as git itself does.
        case person(TrustedHosts)
        /// A watched repository: itself, and what the agent's configuration grants.
        case repository(RepositoryPlace?, granted: [RepositoryPlace])
    }

    private let reach: Reach

    /// - Parameter remotes: the repositories that the credentials were given for; others of their hosts are reached too.
    package static func person(for remotes: [String]) -> CredentialScope {
        CredentialScope(reach: .person(TrustedHosts(of: remotes)))
    }

    /// - Parameters:
    ///   - url: the watched repository's own URL.
    ///   - granted: `builds.credentials`, and the entry's `allowed.credentials`.
    package static func repository(_ url: String, granting granted: [RepositoryPlace] = []) -> CredentialScope {
        CredentialScope(reach: .repository((try? RemoteURL(url)).flatMap { RepositoryPlace($0) }, granted: granted))
    }

    /// What of the credentials may be shown to a remote: all, or what proves nothing (known hosts, authorities, the proxy).
    func limited(_ credentials: GitCredentials, to remote: String, _ url: RemoteURL) -> GitCredentials {
        var limited = credentials
        let (web, keys) = covers(remote, url)
        if !web {
            limited.username = nil
            limited.password = nil
            limited.token = nil
            limited.headers = []
        }
        if !keys {
            limited.sshKeyPath = nil
            limited.sshKeyPassphrase = nil
            limited.usesSSHAgent = false
        }
        return limited
    }

    /// Whether a watched repository's credentials are kept from a remote.
    func refuses(_ url: RemoteURL) -> Bool {
        guard case .repository = reach else { return false }
        return !covers("", url).keys
    }

    private func covers(_ remote: String, _ url: RemoteURL) -> (web: Bool, keys: Bool) {
        switch reach {
        case .person(let hosts): return (hosts.contains(remote, url), true)
        case .repository(let own, let granted):
            guard let place = RepositoryPlace(url) else { return (false, false) }
            let isCovered = place == own || granted.contains { place.isBelow($0) }
            return (isCovered, isCovered)
        }
    }
}

/// Who may read what was fetched: a mirror belongs to those who show the same credentials, and so does a downloaded file.
enum ReaderIdentity {
    /// A name for paths, which tells nothing of the secrets: `anonymous`, or a digest over all that proves who asks. How the
    /// server was verified and reached counts too, so that nobody gets what another's settings let in.
    static func name(of credentials: GitCredentials) -> String {
        var proofs: [String] = []
        func add(_ kind: String, _ text: String?) {
            if let text { proofs.append("\(kind)=\(text.utf8.count):\(text)") }
        }
        add("username", credentials.username)
        add("password", credentials.password)
        add("token", credentials.reader ?? credentials.token)
        for header in credentials.headers { add("header", header) }
        add("key", credentials.sshKeyPath.map(key))
        if credentials.usesSSHAgent { add("agent", GitAccess.environment("SSH_AUTH_SOCK")) }
        let reader = proofs.isEmpty ? "anonymous" : digest(proofs)
        proofs = []
        add("authorities", credentials.caFile)
        add("unverified", credentials.insecureSkipTLSVerify ? "yes" : nil)
        for path in credentials.knownHostsPaths ?? [] { add("hosts", path) }
        add("proxy", credentials.proxy?.url)
        return proofs.isEmpty ? reader : "\(reader)-\(digest(proofs))"
    }

    /// The key itself where it can be read: another one in its place is another reader.
    private static func key(_ path: String) -> String {
        guard let bytes = try? TextFile.read(path, limit: 1 << 20) else { return path }
        return "\(path) \(Digest.sha256(of: bytes))"
    }

    private static func digest(_ parts: [String]) -> String {
        String(Digest.sha256(of: Array(parts.joined(separator: "\n").utf8)).encoded.prefix(24))
    }
}
