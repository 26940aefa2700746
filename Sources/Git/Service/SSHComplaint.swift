/// What `ssh` printed before it gave up (`LogLevel=DEBUG1`), taken apart.
struct SSHComplaint {
    /// The lines that are not for debugging: ssh's own errors, and the words of the server and of git there.
    let text: String
    private let lines: [Substring]

    init(_ bytes: [UInt8]) {
        lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
        text = Redaction.serverText(
            Array(lines.filter { !Self.isOfDebugging($0) }.joined(separator: "\n").utf8), limit: 4096)
    }

    private static func isOfDebugging(_ line: Substring) -> Bool {
        [
            "debug1: ", "OpenSSH_", "Authenticated to ", "Authenticated using ", "Transferred: ", "Bytes per second: ",
            "@@@", "Warning: Permanently ",
        ]
        .contains { line.hasPrefix($0) }
    }

    private func mentions(_ words: String) -> Bool { text.firstRange(ofASCII: words) != nil }

    /// The server's key: its type and its digest as ssh shows it.
    var serverKey: (type: String, fingerprint: String)? {
        guard let line = lines.first(where: { $0.hasPrefix("debug1: Server host key: ") }) else { return nil }
        let words = line.split(separator: " ")
        return words.count >= 6 ? (String(words[4]), String(words[5])) : nil
    }

    /// Why the server's key was not accepted; `nil` when it was.
    func hostKeyVerdict(recorded types: [String]) -> KnownHosts.Verdict? {
        if mentions("REVOKED HOST KEY") || mentions("is marked as revoked") { return .revoked }
        guard mentions("Host key verification failed") else { return nil }
        if mentions("HOST IDENTIFICATION HAS CHANGED") {
            return serverKey.map { types.contains($0.type) } == false ? .otherTypes(types) : .mismatch
        }
        return types.isEmpty ? .unknown : .otherTypes(types)
    }

    /// Nobody was let in: `git@example.com: Permission denied (publickey).`
    var isRefusal: Bool {
        lines.contains { $0.contains(": Permission denied (") && !Self.isOfDebugging($0) }
            || mentions("Too many authentication failures") || mentions("No supported authentication methods")
    }

    /// What is wrong with the agent behind SSH_AUTH_SOCK.
    var agent: String? {
        for line in lines {
            if line.contains("agent contains no identities") { return "the agent behind SSH_AUTH_SOCK holds no key" }
            if line.contains("ssh_get_authentication_socket"), !line.contains("not present") {
                return "nobody answers at SSH_AUTH_SOCK"
            }
        }
        return nil
    }

    /// Whether the key's file was of no use: it cannot be read, or its passphrase is another.
    var isOfUnusableKey: Bool {
        func has(_ words: String) -> Bool { lines.contains { $0.hasPrefix(words) } }
        if has("Load key ") { return true }
        // A file that names its public half is asked for only once the server took that.
        return has("debug1: read_passphrase: ")
            && (has("debug1: Server accepts key: ") || !has("debug1: Offering public key: "))
    }
}
