import CGit2

/// What SSH remotes are reached by: OpenSSH's `ssh` where it is installed, otherwise the libssh2 that libgit2 works with.
package struct SSHLibrary: Sendable, Hashable {
    /// libssh2's, `1.10.0`; `nil` for `ssh`, and where libgit2 has no libssh2, or one that does not tell.
    package let version: String?

    package init(version: String?) { self.version = version }

    /// What this process reaches SSH remotes by.
    package static var current: SSHLibrary { SSHProgram.find() == nil ? linked : SSHLibrary(version: nil) }

    /// The libssh2 of this process.
    static let linked: SSHLibrary = {
        // Not linked by name: libgit2 brings it, or does not.
        guard (try? Library.start()) != nil, let symbol = slipway_git2_symbol("libssh2_version") else {
            return SSHLibrary(version: nil)
        }
        typealias Version = @convention(c) (Int32) -> UnsafePointer<CChar>?
        let function = unsafeBitCast(symbol, to: Version.self)
        return SSHLibrary(version: function(0).map { String(cString: $0) })
    }()

    /// Whether an RSA key signs with SHA-2 (RFC 8332). libssh2 learnt that in 1.11.0; before, it knows SHA-1 only, which
    /// OpenSSH refuses from 8.8 on.
    package var signsRSAWithSHA2: Bool {
        guard let version else { return true }
        let parts = version.split(separator: ".").prefix(2).map { Int($0.prefix { $0.isNumber }) ?? 0 }
        guard parts.count == 2 else { return true }
        return (parts[0], parts[1]) >= (1, 11)
    }
}
