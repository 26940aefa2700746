import Glibc

/// What known_hosts files say of an SSH remote's server.
package struct RecordedHostKeys: Sendable, Hashable {
    /// As known_hosts names the server: `git.example.com`, `[git.example.com]:2222`.
    package let name: String
    /// The files that were looked into.
    package let files: [String]
    /// Types of the keys that are recorded and not revoked, sorted: `ssh-ed25519`.
    package let types: [String]
    /// What prints the server's keys in the form of the files.
    package let scanCommand: String
}

extension RemoteURL {
    /// The keys of the server; `nil` for a remote that is not reached by SSH.
    ///
    /// - Parameter paths: known_hosts files; `nil`: the user's and the system's.
    package func recordedHostKeys(in paths: [String]?) -> RecordedHostKeys? {
        guard case .ssh(_, let host, let port) = transport else { return nil }
        let files = paths ?? KnownHosts.standardFiles
        var known = KnownHosts()
        for file in files {
            if let bytes = Storage.read(file, limit: 16 << 20) { known.append(String(decoding: bytes, as: UTF8.self)) }
        }
        return RecordedHostKeys(
            name: KnownHosts.name(host: host, port: port), files: files, types: known.types(host: host, port: port),
            scanCommand: KnownHosts.scanCommand(host: host, port: port))
    }
}
