/// Where the status server listens: `HOST:PORT`. The host may be a name, an address, `[IPv6]`, or missing for all addresses.
package struct ListenAddress: Sendable, Hashable {
    /// Without brackets.
    package let host: String
    /// 0 takes a free one.
    package let port: Int

    package init(_ text: String) throws(AgentError) {
        func invalid(_ cause: String) -> AgentError {
            AgentError(
                "'\(text)' is not an address to listen on", place: "listen", cause: cause,
                hint: "write HOST:PORT, as in 0.0.0.0:8080 or [::]:8080")
        }
        guard let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") else { throw invalid("the port is missing") }
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = Int(digits), port <= 65_535 else {
            throw invalid("'\(digits)' is not a port from 0 to 65535")
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw invalid("an IPv6 address stands in brackets")
        }
        guard !host.utf8.contains(where: { $0 <= 0x20 || $0 == UInt8(ascii: "/") || $0 >= 0x7f }) else {
            throw invalid("'\(host)' is not a host")
        }
        self.host = host.isEmpty ? "0.0.0.0" : String(host)
        self.port = port
    }
}
