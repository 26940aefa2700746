/// Hosts that are this machine, or in its own network.
package enum LocalHost {
    /// `localhost`, `*.localhost`, `*.local`, loopback addresses, and those of RFC 1918.
    ///
    /// - Parameter host: without a port; an IPv6 address in brackets.
    package static func contains(_ host: String) -> Bool {
        let host = host.lowercased()
        if host == "localhost" || host.hasSuffix(".localhost") || host.hasSuffix(".local") || host == "[::1]" {
            return true
        }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        guard parts.count == 4, let first = parts[0], let second = parts[1], parts[2] != nil, parts[3] != nil else {
            return false
        }
        return first == 127 || first == 10 || (first == 172 && (16...31).contains(second))
            || (first == 192 && second == 168)
    }
}
