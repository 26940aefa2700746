extension Proxies {
    /// Reads a proxy's address as a request does: `[SCHEME://][USER:PASSWORD@]HOST[:PORT]`.
    package static func check(_ address: String) throws(HTTPError) { _ = try ProxyAddress(address) }
}
