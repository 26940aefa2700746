import Git

/// The hosts that credentials are for.
package struct TrustedHosts: Sendable {
    private let hosts: Set<String>
    /// Those that were named by `http:` themselves; for all others, credentials do not go where everybody can read them.
    private let plain: Set<String>

    /// - Parameter remotes: the repositories that the credentials were given for.
    package init(of remotes: [String]) {
        var (hosts, plain): (Set<String>, Set<String>) = ([], [])
        for remote in remotes {
            guard let host = (try? RemoteURL(remote))?.host else { continue }
            hosts.insert(host)
            if Self.isPlain(remote) { plain.insert(host) }
        }
        (self.hosts, self.plain) = (hosts, plain)
    }

    func contains(_ remote: String, _ url: RemoteURL) -> Bool {
        guard let host = url.host else { return false }
        return Self.isPlain(remote) ? plain.contains(host) : hosts.contains(host)
    }

    private static func isPlain(_ remote: String) -> Bool { remote.lowercased().hasPrefix("http://") }
}
