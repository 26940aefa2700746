import Glibc

/// Which `Host` and `Origin` headers a request may have. A page of another site that a browser shows can reach an agent in the reader's
/// network by a name of its own (DNS rebinding), or post forms to it; neither knows the names here.
struct HostRule: Sendable {
    /// In lower case, beside addresses and `localhost`; `nil`: any.
    private let names: Set<String>?

    /// - Parameters:
    ///   - hosts: as the configuration has them.
    ///   - address: what is listened on. A browser on this machine reaches its own addresses, so they are not for names of others.
    init(hosts: [String], address: String) {
        let host = (try? ListenAddress(address))?.host ?? ""
        let isLocal = host == "localhost" || host == "::1" || host.hasPrefix("127.")
        names = hosts.isEmpty && !isLocal ? nil : Set(hosts.map { $0.lowercased() })
    }

    /// - Parameters:
    ///   - hosts: the values of all `Host` headers; HTTP/1.0 has none.
    ///   - origin: what a browser says of the page that makes the request (RFC 6454).
    func check(hosts: [String], origin: String?) throws(ControlError) {
        guard hosts.count <= 1, hosts.allSatisfy({ Self.name($0) != nil }) else {
            throw ControlError(.invalidRequest, "the Host header is not one host", place: "Host")
        }
        let host = hosts.first ?? ""
        if let name = Self.name(host), let names, !names.contains(name), !Self.isAddress(name), name != "localhost" {
            throw ControlError(
                .forbidden, "the agent is not reached by the host name '\(name)'", place: "Host",
                hint: "add it to 'api.hosts' in the agent's configuration")
        }
        guard let origin, Self.authority(of: origin) != host.lowercased() else { return }
        throw ControlError(
            .forbidden, "a page of another site may not ask the agent", place: "Origin",
            cause: "it is of \(origin.prefix(200)), and the agent is \(host.isEmpty ? "unnamed" : host)",
            hint: "a proxy in front of the agent has to keep the Host header")
    }

    /// Of `https://slipway.example.com:8443`: what follows the scheme, without the scheme's own port.
    private static func authority(of origin: String) -> String? {
        for (scheme, port) in [("http://", ":80"), ("https://", ":443")] where origin.hasPrefix(scheme) {
            let text = origin.dropFirst(scheme.count).lowercased()
            return text.hasSuffix(port) ? String(text.dropLast(port.count)) : text
        }
        return nil
    }

    /// The host of `HOST:PORT`, in lower case, without the dot at its end; brackets stay.
    private static func name(_ text: String) -> String? {
        var host = Substring(text.lowercased())
        let tail = host[(host.lastIndex(of: "]") ?? host.startIndex)...]
        if let colon = tail.lastIndex(of: ":") {
            guard host[host.index(after: colon)...].utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            host = host[..<colon]
        }
        if host.hasSuffix(".") { host = host.dropLast() }
        let isPlain = host.utf8.allSatisfy { byte in
            byte > 0x20 && byte < 0x7f && !Array("/?#@\\".utf8).contains(byte)
        }
        return isPlain && !host.isEmpty ? String(host) : nil
    }

    private static func isAddress(_ name: String) -> Bool {
        let isBracketed = name.hasPrefix("[") && name.hasSuffix("]")
        var buffer = [UInt8](repeating: 0, count: 16)
        return inet_pton(
            isBracketed ? AF_INET6 : AF_INET, isBracketed ? String(name.dropFirst().dropLast()) : name, &buffer) == 1
    }
}
