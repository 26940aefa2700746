import Glibc

/// Where a repository is: a parsed remote URL without its secrets.
///
/// Accepted, as git does (git-fetch(1), "GIT URLS"): `http(s)://`, `ssh://`, `git://`, `file://`, the scp-like
/// `user@host:path`, and plain paths.
package struct RemoteURL: Hashable, Sendable, CustomStringConvertible {
    enum Transport: Hashable, Sendable {
        case local(path: String)
        case http(host: String, tls: Bool)
        case ssh(user: String?, host: String, port: Int)
        case git(host: String)
    }

    let transport: Transport
    /// What libgit2 connects to: no password, and for HTTP no user.
    package let address: String
    /// The user and password that the text carried, decoded.
    package let username: String?
    package let password: String?

    package init(_ text: String) throws(GitError) {
        guard !text.isEmpty, !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) else {
            throw GitError(.invalid, "the repository URL is empty or has control characters")
        }
        if let separator = text.firstRange(ofASCII: "://") {
            let scheme = text[..<separator.lowerBound].lowercased()
            try self.init(scheme: scheme, rest: text[separator.upperBound...])
        } else if let colon = text.firstIndex(of: ":"), !text[..<colon].contains("/"), colon != text.startIndex {
            try self.init(scpHost: text[..<colon], path: text[text.index(after: colon)...], text: text)
        } else {
            self.init(localPath: text)
        }
    }

    private init(_ transport: Transport, address: String, username: String? = nil, password: String? = nil) {
        self.transport = transport
        self.address = address
        self.username = username
        self.password = password
    }

    private init(localPath: String) {
        var path = localPath
        if !path.hasPrefix("/"), let directory = getcwd(nil, 0) {
            path = String(cString: directory) + "/" + path
            free(directory)
        }
        self.init(.local(path: path), address: path)
    }

    private init(scpHost: Substring, path: Substring, text: String) throws(GitError) {
        let at = scpHost.lastIndex(of: "@")
        let user = at.map { String(scpHost[..<$0]) }
        let host = String(at.map { scpHost[scpHost.index(after: $0)...] } ?? scpHost)
        guard !host.isEmpty, !host.hasPrefix("-"), !path.isEmpty else {
            throw GitError(
                .invalid, "'\(Redaction.urls(in: text))' is not a repository URL", hint: "write user@host:path")
        }
        self.init(.ssh(user: user, host: host, port: 22), address: text, username: user)
    }

    private init(scheme: String, rest: Substring) throws(GitError) {
        if scheme == "file" {
            // file:///path and file://localhost/path
            guard let slash = rest.firstIndex(of: "/"), rest[..<slash].isEmpty || rest[..<slash] == "localhost" else {
                throw GitError(
                    .invalid, "file://\(rest): a file URL needs an absolute path", hint: "write file:///path")
            }
            self.init(localPath: Self.decoded(rest[slash...]))
            return
        }
        let pathStart = rest.firstIndex(of: "/") ?? rest.endIndex
        let authority = rest[..<pathStart]
        let at = authority.lastIndex(of: "@")
        let location = at.map { authority[authority.index(after: $0)...] } ?? authority
        let userInformation = at.map {
            authority[..<$0].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        }
        let user = userInformation?.first.map(Self.decoded).flatMap { $0.isEmpty ? nil : $0 }
        let secret = userInformation.flatMap { $0.count == 2 ? Self.decoded($0[1]) : nil }
        let (host, port) = try Self.hostAndPort(location, scheme: scheme)
        let path = rest[pathStart...]
        guard path.utf8.count > 1 else {
            throw GitError(.invalid, "\(scheme)://\(location): the URL names no repository on that host")
        }
        switch scheme {
        case "http", "https":
            self.init(
                .http(host: host, tls: scheme == "https"), address: "\(scheme)://\(location)\(path)", username: user,
                password: secret)
        case "ssh", "git+ssh", "ssh+git":
            let userPart = userInformation?.first.map { $0 + "@" } ?? ""
            self.init(
                .ssh(user: user, host: host, port: port ?? 22), address: "ssh://\(userPart)\(location)\(path)",
                username: user, password: secret)
        case "git":
            self.init(.git(host: host), address: "git://\(location)\(path)")
        default:
            throw GitError(
                .unsupported, "\(scheme)://\(location): the scheme '\(scheme)' is not supported",
                hint: "use https://, http://, ssh://, user@host:path, file:// or a path")
        }
    }

    private static func hostAndPort(_ location: Substring, scheme: String) throws(GitError) -> (String, Int?) {
        var host = location
        var port: Substring?
        if location.hasPrefix("["), let close = location.firstIndex(of: "]") {
            host = location[location.index(after: location.startIndex)..<close]
            let tail = location[location.index(after: close)...]
            port = tail.hasPrefix(":") ? tail.dropFirst() : nil
        } else if let colon = location.lastIndex(of: ":") {
            host = location[..<colon]
            port = location[location.index(after: colon)...]
        }
        // A leading "-" would be an option for whatever program is handed the name.
        guard !host.isEmpty, !host.hasPrefix("-") else {
            throw GitError(.invalid, "\(scheme)://\(location): the URL names no host")
        }
        guard let port, !port.isEmpty else { return (String(host), nil) }
        guard let number = Int(port), (1...65535).contains(number) else {
            throw GitError(.invalid, "\(scheme)://\(location): '\(port)' is not a port")
        }
        return (String(host), number)
    }

    static func decoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var input = Array(text.utf8)[...]
        while let byte = input.popFirst() {
            if byte == UInt8(ascii: "%"), input.count >= 2,
                let value = UInt8(String(decoding: input.prefix(2), as: UTF8.self), radix: 16), value != 0
            {
                bytes.append(value)
                input = input.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The URL for messages: no user information, no query.
    package var description: String {
        switch transport {
        case .ssh where !address.contains("://"): address
        case .local(let path): path
        default: Redaction.urls(in: address)
        }
    }

    package enum Kind: Sendable { case https, http, ssh, git, local }

    package var kind: Kind {
        switch transport {
        case .local: .local
        case .http(_, let tls): tls ? .https : .http
        case .ssh: .ssh
        case .git: .git
        }
    }

    /// Whether nobody between can read along.
    package var isEncrypted: Bool { kind == .https || kind == .ssh }

    /// The pair for HTTP Basic that this URL's server is shown: what is configured, else what the URL carries.
    package func basic(with credentials: GitCredentials) -> (username: String, password: String)? {
        if let pair = credentials.basic { return pair }
        // A token alone before the "@" is how several hosts document it.
        if let password { return (username ?? "git", password) }
        return username.map { ($0, "") }
    }

    /// The host, where there is one.
    package var host: String? {
        switch transport {
        case .local: nil
        case .http(let host, _), .ssh(_, let host, _), .git(let host): host
        }
    }
}

extension String {
    func firstRange(ofASCII needle: String) -> Range<String.Index>? {
        let pattern = Array(needle.utf8)
        var start = utf8.startIndex
        while start != utf8.endIndex {
            let rest = utf8[start...]
            if rest.starts(with: pattern) { return start..<utf8.index(start, offsetBy: pattern.count) }
            start = utf8.index(after: start)
        }
        return nil
    }
}
