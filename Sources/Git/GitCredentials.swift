import Text

/// How to prove who we are to a remote, and how to verify that it is the right one.
///
/// Its textual forms never contain a secret.
package struct GitCredentials: Sendable {
    /// For HTTP Basic, and for SSH when the URL names no user (then `git` otherwise).
    package var username: String?
    /// The password for HTTP Basic and for SSH.
    package var password: String?
    /// An access token: sent as the password of HTTP Basic, with `username` or, without one, `x-access-token`.
    package var token: String?
    /// What stands for a token that is exchanged now and then where readers are told apart; `nil`: the token itself.
    package var reader: String?
    /// The file that the token, else the password, is from, for messages.
    package var secretFile: String?
    /// Further HTTP headers, each as `Name: value`.
    package var headers: [String]
    /// The private key for SSH, in any format that OpenSSH writes.
    package var sshKeyPath: String?
    /// What decrypts the private key.
    package var sshKeyPassphrase: String?
    /// Whether the keys of the agent behind SSH_AUTH_SOCK are offered.
    package var usesSSHAgent: Bool
    /// known_hosts files. `nil`: ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts.
    package var knownHostsPaths: [String]?
    /// PEM file with certificate authorities that are trusted beside the system's.
    package var caFile: String?
    /// Certificates (PEM) that are trusted as well.
    package var certificates: [UInt8] = []
    /// Accept any TLS certificate. Only on explicit request.
    package var insecureSkipTLSVerify: Bool
    /// How many bytes of references a server may advertise: some million of them.
    package var advertisementLimit: Int = 256 << 20
    /// How many bytes one fetch may bring. A server that sends without end is given up there.
    package var fetchLimit: Int = 16 << 30
    /// How long a server may say nothing before it is given up.
    package var silenceLimit = Self.usualSilenceLimit
    /// While hooks run, and while a pack is made, git's servers send something every 5 seconds (`receive.keepAlive`,
    /// `uploadpack.keepAlive`).
    package static let usualSilenceLimit = Duration.seconds(60)
    /// The proxy for HTTP(S) remotes; `nil`: as the environment says (`https_proxy`, `http_proxy`, `no_proxy`).
    package var proxy: GitProxy?

    package init(
        username: String? = nil, password: String? = nil, token: String? = nil, headers: [String] = [],
        sshKeyPath: String? = nil, sshKeyPassphrase: String? = nil, usesSSHAgent: Bool = true,
        knownHostsPaths: [String]? = nil, caFile: String? = nil, insecureSkipTLSVerify: Bool = false
    ) {
        self.username = username
        self.password = password
        self.token = token
        self.headers = headers
        self.sshKeyPath = sshKeyPath
        self.sshKeyPassphrase = sshKeyPassphrase
        self.usesSSHAgent = usesSSHAgent
        self.knownHostsPaths = knownHostsPaths
        self.caFile = caFile
        self.insecureSkipTLSVerify = insecureSkipTLSVerify
    }

    /// The pair for HTTP Basic, when there is one.
    var basic: (username: String, password: String)? {
        if let token { return (username ?? "x-access-token", token) }
        if let password { return (username ?? "git", password) }
        return nil
    }

    /// Whether following a redirect to another host could give something away.
    var hasHTTPSecrets: Bool { basic != nil || !headers.isEmpty }
}

/// An HTTP proxy. Its textual form never contains a secret.
package struct GitProxy: Sendable, CustomStringConvertible, CustomReflectable {
    /// `http://HOST:PORT`
    package var url: String
    package var username: String?
    package var password: String?

    package init(url: String, username: String? = nil, password: String? = nil) {
        self.url = url
        self.username = username
        self.password = password
    }

    package var description: String { Redaction.urls(in: url) }
    package var customMirror: Swift.Mirror { Swift.Mirror(self, children: [:]) }

    /// What libgit2 takes: user and password in the URL, encoded.
    package var address: String {
        guard let username, let separator = url.firstRange(ofASCII: "://") else { return url }
        let pair = PercentEncoding.encode(username) + ":" + PercentEncoding.encode(password ?? "")
        return String(url[..<separator.upperBound]) + pair + "@" + url[separator.upperBound...]
    }
}

extension GitCredentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String {
        var kinds: [String] = []
        if token != nil { kinds.append("token") }
        if password != nil { kinds.append("password") }
        if !headers.isEmpty { kinds.append("headers") }
        if sshKeyPath != nil { kinds.append("SSH key") }
        return "GitCredentials(\(kinds.isEmpty ? "none" : kinds.joined(separator: ", ")))"
    }
    package var debugDescription: String { description }
    package var customMirror: Swift.Mirror { Swift.Mirror(self, children: [:]) }
}
