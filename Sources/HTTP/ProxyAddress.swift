import CCurl

/// A proxy's URL without its user and password, which libcurl gets apart so that no message shows them.
struct ProxyAddress {
    /// `http://proxy:3128`.
    let url: String
    let user: String?
    let password: String?

    /// `scheme://[user:password@]host[:port]`, where the scheme may be missing: http, https, socks4, socks4a, socks5, socks5h.
    init(_ text: String) throws(HTTPError) {
        func invalid(_ cause: String) -> HTTPError {
            HTTPError(
                .proxy, "the proxy's address cannot be used", cause: cause,
                hint: "write http://HOST:PORT in HTTP_PROXY and HTTPS_PROXY")
        }
        guard let handle = curl_url() else { throw invalid("no memory") }
        defer { curl_url_cleanup(handle) }
        let whole = text.contains("://") ? text : "http://\(text)"
        let result = curl_url_set(handle, CURLUPART_URL, whole, UInt32(CURLU_NON_SUPPORT_SCHEME))
        guard result == CURLUE_OK else { throw invalid(String(cString: curl_url_strerror(result))) }
        func part(_ part: CURLUPart) -> String? {
            var value: UnsafeMutablePointer<CChar>?
            guard curl_url_get(handle, part, &value, UInt32(CURLU_URLDECODE)) == CURLUE_OK, let value else {
                return nil
            }
            defer { curl_free(value) }
            return String(cString: value)
        }
        let scheme = part(CURLUPART_SCHEME)?.lowercased() ?? ""
        guard ["http", "https", "socks4", "socks4a", "socks5", "socks5h"].contains(scheme) else {
            throw invalid("'\(scheme.prefix(20))' is no kind of proxy")
        }
        guard let host = part(CURLUPART_HOST), !host.isEmpty else { throw invalid("it names no host") }
        // Without a port a proxy is at its scheme's own, as Go has it; libcurl would take 1080.
        let ports = ["http": "80", "https": "443"]
        let port = part(CURLUPART_PORT) ?? ports[scheme] ?? "1080"
        url = "\(scheme)://\(host):\(port)"
        user = part(CURLUPART_USER)
        password = part(CURLUPART_PASSWORD)
    }
}
