/// Where a client may go without TLS. Every URL passes here: those that its user names and those that answers name.
///
/// An answer leads over TLS anywhere. Without TLS it leads to where it came from itself in plain HTTP, and to hosts that are
/// declared, each for itself. A host that spoke TLS is not left for its own plain HTTP, declared or not.
package struct TransportPolicy: Sendable, Hashable {
    /// What is declared.
    let plainHTTP: HTTPConfiguration.PlainHTTP
    /// Whether the client's user may name hosts of this machine and of private networks too; an answer may not.
    let allowsPlainHTTPLocally: Bool

    /// - Parameters:
    ///   - url: where a request is to go.
    ///   - source: whose answer named it; `nil`: the client's user.
    /// - Throws: `plainHTTPRefused`.
    package func check(_ url: HTTPURL, namedBy source: HTTPURL? = nil) throws(HTTPError) {
        guard !url.isSecure else { return }
        guard let source else {
            if isDeclared(url) || (allowsPlainHTTPLocally && LocalHost.contains(url.host)) { return }
            throw HTTPError(
                .plainHTTPRefused, "plain HTTP is not allowed to \(url.authority)", place: "\(url)",
                hint: "declare the host as insecure when it is meant to be reached without encryption",
                host: url.authority)
        }
        if source.isDowngraded(by: url) { throw downgrade(source, url, hint: "make the server name its https address") }
        // "All hosts" is said of those that have no TLS, not of those that a host with TLS leads to.
        if source.origin == url.origin || (source.isSecure ? isDeclaredByName(url) : isDeclared(url)) { return }
        if plainHTTP == .everywhere { throw downgrade(source, url, hint: nil) }
        throw HTTPError(
            .plainHTTPRefused, "plain HTTP is not allowed to \(url.authority)", place: "\(source)",
            cause: "the answer leads to \(url), and \(url.authority) is not declared as insecure",
            hint: "declare the host as insecure when it is meant to be reached without encryption",
            host: url.authority)
    }

    private func downgrade(_ source: HTTPURL, _ url: HTTPURL, hint: String?) -> HTTPError {
        HTTPError(
            .plainHTTPRefused, "an answer from https to http is not followed", place: "\(source)",
            cause: "the answer leads from https to \(url)", hint: hint)
    }

    private func isDeclared(_ url: HTTPURL) -> Bool {
        guard case .hosts(let hosts) = plainHTTP else { return true }
        return hosts.contains("*") || isDeclaredByName(url)
    }

    private func isDeclaredByName(_ url: HTTPURL) -> Bool {
        guard case .hosts(let hosts) = plainHTTP else { return false }
        return hosts.contains("\(url.host):\(url.port)") || hosts.contains(url.host)
    }
}

extension HTTPURL {
    /// Whether another URL is this host's own without the TLS that it speaks: at the same port or at plain HTTP's.
    package func isDowngraded(by other: HTTPURL) -> Bool {
        isSecure && !other.isSecure && host == other.host && (other.port == 80 || other.port == port)
    }
}
