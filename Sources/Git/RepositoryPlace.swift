/// Which repository of which server a URL names, for deciding whether two URLs name the same one: user, password, default
/// ports, a final `.git` and encoded letters aside.
///
/// A URL that a server could read as another path than it seems to say has no place: `..`, empty parts, encoded slashes,
/// backslashes, a query.
package struct RepositoryPlace: Hashable, Sendable, CustomStringConvertible {
    package enum Transport: String, Sendable { case https, http, ssh, git }

    package let transport: Transport
    /// SSH's user, since a server may show each user other files.
    private let user: String?
    private let host: String
    private let port: Int
    private let path: [String]

    package init?(_ url: RemoteURL) {
        self.init(url, path: url.pathText)
    }

    /// The beginning of URLs: a host, or a host with the first parts of a path.
    package init?(prefix text: String) {
        let hasScheme = text.contains("://")
        var text = text[...]
        while text.hasSuffix("/") { text.removeLast() }
        // A URL of a repository needs a path; the part that is added is cut off again.
        guard text.contains("://") == hasScheme, let url = try? RemoteURL("\(text)/_"),
            url.password == nil, let path = url.pathText, path.hasSuffix("/_")
        else { return nil }
        self.init(url, path: path.dropLast(2))
    }

    private init?(_ url: RemoteURL, path: Substring?) {
        guard let path else { return nil }
        switch url.transport {
        case .local: return nil
        case .http(let host, let tls):
            transport = tls ? .https : .http
            (user, self.host, port) = (nil, host.lowercased(), url.port ?? (tls ? 443 : 80))
        case .ssh(let user, let host, let port):
            transport = .ssh
            (self.user, self.host, self.port) = (user ?? "git", host.lowercased(), port)
        case .git(let host):
            transport = .git
            (user, self.host, port) = (nil, host.lowercased(), url.port ?? 9418)
        }
        guard let parts = Self.parts(path) else { return nil }
        self.path = parts
    }

    /// Whether this is below `prefix`, or the same: whole parts of the path count.
    package func isBelow(_ prefix: RepositoryPlace) -> Bool {
        transport == prefix.transport && user == prefix.user && host == prefix.host && port == prefix.port
            && path.starts(with: prefix.path)
    }

    package var description: String {
        "\(transport.rawValue)://\(user.map { $0 + "@" } ?? "")\(host):\(port)/\(path.joined(separator: "/"))"
    }

    /// The parts decoded; `nil` where one of them is not what it seems to be.
    private static func parts(_ path: Substring) -> [String]? {
        guard !path.utf8.contains(where: { $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") }) else { return nil }
        var path = path
        if path.hasPrefix("/") { path.removeFirst() }
        if path.hasSuffix("/") { path.removeLast() }
        if path.hasSuffix(".git") { path.removeLast(4) }
        if path.isEmpty { return [] }
        var parts: [String] = []
        for part in path.split(separator: "/", omittingEmptySubsequences: false) {
            let text = RemoteURL.decoded(part)
            let isPlain = text.utf8.allSatisfy {
                $0 > 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "\\")
                    && $0 != UInt8(ascii: "%")
            }
            guard isPlain, !text.isEmpty, text != ".", text != ".." else { return nil }
            parts.append(text)
        }
        return parts
    }
}

extension RemoteURL {
    /// What follows the server's name in the address; `nil` for paths of this machine.
    var pathText: Substring? {
        switch transport {
        case .local: return nil
        case .http, .git, .ssh:
            guard let separator = address.firstRange(ofASCII: "://") else {
                return address.firstIndex(of: ":").map { address[address.index(after: $0)...] }
            }
            let rest = address[separator.upperBound...]
            return rest.firstIndex(of: "/").map { rest[$0...] }
        }
    }

    /// The port that the address names.
    fileprivate var port: Int? {
        guard let separator = address.firstRange(ofASCII: "://") else { return nil }
        let authority = address[separator.upperBound...].prefix { $0 != "/" }
        guard let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]") else { return nil }
        return Int(authority[authority.index(after: colon)...])
    }
}
