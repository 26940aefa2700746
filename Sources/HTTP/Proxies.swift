import Glibc

/// Which requests go through a proxy: what `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say (in either case), read
/// as Go's programs read them, because these variables are set once for a pod and all its tools.
///
/// Rules: https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config. Loopback hosts are never reached through a proxy of the
/// environment; one that is named for a host is always used.
package struct Proxies: Sendable, Hashable {
    package var http: String?
    package var https: String?
    /// Entries of `NO_PROXY`: `host`, `.domain`, `host:port`, an address, a network (`10.0.0.0/8`), `*`.
    package var exceptions: [String] = []
    /// By `host:port` or `host`: this proxy and no other; an empty text is none.
    package var byHost: [String: String] = [:]

    package init() {}

    /// What this process's environment says.
    package static var environment: Proxies {
        var found: [String: String] = [:]
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD"] {
            for spelling in [name, name.lowercased()] {
                found[spelling] = getenv(spelling).map { String(cString: $0) }
            }
        }
        return Proxies(environment: found)
    }

    package init(environment: [String: String]) {
        func value(_ name: String) -> String? {
            [name.lowercased(), name.uppercased()].lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
        }
        let all = value("ALL_PROXY")
        https = value("HTTPS_PROXY") ?? all
        // In a CGI program HTTP_PROXY is a header that a client sent.
        http = (environment["REQUEST_METHOD"] == nil ? value("HTTP_PROXY") : environment["http_proxy"]) ?? all
        exceptions = (value("NO_PROXY") ?? "").split { $0 == "," || $0 == " " }.map(String.init)
    }

    /// The proxy for a URL; `nil` when it is reached directly.
    package func proxy(for url: HTTPURL) -> String? {
        if let own = byHost["\(url.host):\(url.port)"] ?? byHost[url.host] { return own.isEmpty ? nil : own }
        guard let proxy = url.isSecure ? https : http, !url.isLoopback, !isExcepted(url) else { return nil }
        return proxy
    }

    private func isExcepted(_ url: HTTPURL) -> Bool {
        let address = IPAddress(url.host)
        return exceptions.contains { entry in
            var entry = entry.lowercased()
            if entry == "*" { return true }
            if let network = IPNetwork(entry) { return address.map(network.contains) ?? false }
            if let port = Self.port(of: entry) {
                guard port == url.port else { return false }
                entry = String(entry[..<(entry.lastIndex(of: ":") ?? entry.endIndex)])
            }
            if let excepted = IPAddress(entry) { return excepted == address }
            if entry.hasPrefix("*.") { entry.removeFirst() }
            if entry.hasPrefix(".") { return url.host.hasSuffix(entry) }
            return !entry.isEmpty && (url.host == entry || url.host.hasSuffix("." + entry))
        }
    }

    private static func port(of entry: String) -> Int? {
        guard let colon = entry.lastIndex(of: ":") else { return nil }
        // An IPv6 address without brackets has several colons and no port.
        if !entry.hasPrefix("["), entry.firstIndex(of: ":") != colon { return nil }
        return Int(entry[entry.index(after: colon)...])
    }
}
