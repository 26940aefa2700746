import Text

/// A git repository's address in one spelling, so that different ways to write it are the same: without scheme, user, default port and
/// `.git`, in lower case, as GitHub, GitLab, Gitea and Bitbucket look repositories up.
package struct GitAddress: Hashable, Sendable {
    /// With its port where that is not the scheme's; empty for a path of this machine.
    package let host: String
    /// Without slashes at its ends.
    package let path: String

    private static let defaultPorts = ["https": "443", "http": "80", "ssh": "22", "git": "9418"]
    /// Where git hosts take SSH on the port of HTTPS.
    private static let secondHosts = [
        "ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com", "altssh.bitbucket.org": "bitbucket.org",
        "vs-ssh.visualstudio.com": "dev.azure.com", "ssh.dev.azure.com": "dev.azure.com",
    ]

    /// - Parameter url: `scheme://[user@]host[:port]/path`, `[user@]host:path`, or a path.
    /// - Returns: `nil` for what names no repository.
    package init?(_ url: String) {
        guard url.utf8.count <= 4_096 else { return nil }
        let text = url.prefix { $0 != "?" && $0 != "#" }
        let host: String
        let rest: Substring
        if let scheme = text.firstRange(of: "://") {
            let behind = text[scheme.upperBound...]
            let authority = behind.prefix { $0 != "/" }
            let name = text[..<scheme.lowerBound].lowercased()
            host = name == "file" ? "" : Self.host(authority, defaultPort: Self.defaultPorts[name])
            rest = behind.dropFirst(authority.count)
        } else if let colon = text.firstIndex(of: ":"), !text[..<colon].contains("/") {
            host = Self.host(text[..<colon], defaultPort: nil)
            rest = text[text.index(after: colon)...]
        } else {
            host = ""
            rest = text
        }
        let decoded = PercentEncoding.decode(rest) ?? String(rest)
        var parts = decoded.lowercased().split(separator: "/").map(String.init)
        if let last = parts.last, last.hasSuffix(".git") {
            parts[parts.count - 1] = String(last.dropLast(4))
            if last == ".git" { parts.removeLast() }
        }
        guard !parts.isEmpty else { return nil }
        (self.host, self.path) = Self.settled(host, parts)
    }

    private static func host(_ authority: Substring, defaultPort: String?) -> String {
        var host = (authority.split(separator: "@", omittingEmptySubsequences: false).last ?? "").lowercased()
        if let colon = host.lastIndex(of: ":"), !host[colon...].contains("]") {
            let port = String(host[host.index(after: colon)...])
            let name = String(host[..<colon])
            if port.isEmpty || port == defaultPort || port == "443" && secondHosts[name] != nil { host = name }
        }
        return secondHosts[host] ?? host
    }

    /// What some hosts put into paths for one way in, and not for the others.
    private static func settled(_ host: String, _ parts: [String]) -> (host: String, path: String) {
        var (host, parts) = (host, parts)
        if host.hasSuffix(".visualstudio.com") {
            parts.insert(String(host.dropLast(".visualstudio.com".count)), at: 0)
            host = "dev.azure.com"
        }
        if host == "dev.azure.com" {
            parts.removeAll { $0 == "defaultcollection" }
            if parts.first == "v3" { parts.removeFirst() }
        }
        // Azure DevOps: ORG/PROJECT/_git/NAME, and ORG/_git/NAME for the project of the same name.
        if let mark = parts.firstIndex(of: "_git"), mark + 2 == parts.count {
            parts.remove(at: mark)
            if host == "dev.azure.com", parts.count == 2 { parts.append(parts[1]) }
        }
        // Bitbucket Data Center: CONTEXT/scm/PROJECT/NAME, and /projects/PROJECT/repos/NAME for people.
        if let mark = parts.lastIndex(of: "scm"), mark + 3 == parts.count { parts.removeSubrange(...mark) }
        if let mark = parts.lastIndex(of: "projects"), mark + 4 <= parts.count, parts[mark + 2] == "repos" {
            parts = [parts[mark + 1], parts[mark + 3]]
        }
        return (host, parts.joined(separator: "/"))
    }
}
