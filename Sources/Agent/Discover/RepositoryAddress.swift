/// What a git URL says of which repository it names, for comparing URLs that lead to the same one in different ways.
///
/// A repository is known by its owner and its name: the whole path of its URL, as GitLab's groups nest. The host does not count:
/// a mirror under another host is the same repository. Nor do scheme, user, port, letter case, `.git` and what hosts put before or
/// into the path: `scm/` of Bitbucket Data Center, `_git/` and `v3/` of Azure DevOps.
struct RepositoryAddress: Sendable, Equatable {
    /// Without user and port; `nil` for a path of this machine.
    private let host: String?
    private let path: [String]

    /// - Parameter url: `scheme://[user@]host[:port]/path`, `[user@]host:path`, `file://path`, or a path.
    init(_ url: String) {
        var text = url.lowercased().prefix { $0 != "#" && $0 != "?" }
        var host: Substring?
        if let scheme = text.firstRange(of: "://") {
            let isFile = text[..<scheme.lowerBound] == "file"
            text = text[scheme.upperBound...]
            let authority = text.prefix { $0 != "/" }
            if isFile {
                // A host in it can only be this machine's.
                text = authority == "localhost" ? text.dropFirst(authority.count) : text
            } else {
                host = authority
                text = text.dropFirst(authority.count)
            }
        } else if let colon = text.firstIndex(of: ":"), !text[..<colon].contains("/") {
            host = text[..<colon]
            text = text[text.index(after: colon)...]
        }
        self.host = host.map { Self.name(ofAuthority: $0) }
        var path = text.split(separator: "/").filter { $0 != "." }.map(String.init)
        // The directory of a repository with a work tree.
        if path.last == ".git" { path.removeLast() }
        if let last = path.last, last.hasSuffix(".git") { path[path.count - 1] = String(last.dropLast(4)) }
        if self.host != nil {
            if path.count > 2, path[0] == "scm" { path.removeFirst() }
            if path.count > 2, path[0] == "v3", self.host?.hasSuffix("azure.com") == true { path.removeFirst() }
            if path.count > 2 { path.removeAll { $0 == "_git" } }
        }
        self.path = path
    }

    /// A URL for messages: without its user, which may be a token, and without query and fragment.
    static func shown(_ url: String) -> String {
        let text = url.prefix { $0 != "?" && $0 != "#" }
        guard let scheme = text.firstRange(of: "://") else { return String(text) }
        let rest = text[scheme.upperBound...]
        guard let at = rest.prefix(while: { $0 != "/" }).lastIndex(of: "@") else { return String(text) }
        return String(text[..<scheme.upperBound] + rest[rest.index(after: at)...])
    }

    private static func name(ofAuthority authority: Substring) -> String {
        let host = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? authority
        if host.hasPrefix("["), let end = host.firstIndex(of: "]") { return String(host[...end]) }
        return String(host.prefix { $0 != ":" })
    }

    /// Whether both name the same repository.
    ///
    /// - Two URLs with hosts: when the whole paths are the same. A path of one name tells no owner; then the hosts have to be the
    ///   same, too.
    /// - A path of this machine and a URL: when the path ends with the URL's whole path, `/srv/mirrors/acme/shop.git` for
    ///   `https://github.com/acme/shop`.
    /// - Two paths of this machine: when they are the same, or end with the same two names.
    func isSame(as other: RepositoryAddress) -> Bool {
        guard !path.isEmpty, !other.path.isEmpty else { return false }
        switch (host, other.host) {
        case (let host?, let otherHost?): return path == other.path && (path.count > 1 || host == otherHost)
        case (nil, nil): return path == other.path || path.count > 1 && path.suffix(2) == other.path.suffix(2)
        case (nil, _?): return other.path.count > 1 && path.suffix(other.path.count) == other.path[...]
        case (_?, nil): return other.isSame(as: self)
        }
    }
}
