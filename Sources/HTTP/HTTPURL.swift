import CCurl

/// An absolute `http:` or `https:` URL, parsed by libcurl, without user information and fragment.
package struct HTTPURL: Hashable, Sendable, CustomStringConvertible {
    /// As it is sent.
    package let text: String
    package let scheme: String
    /// In lower case; an IPv6 address in brackets.
    package let host: String
    /// The scheme's own when the URL has none.
    package let port: Int
    package let path: String

    /// Bytes that a URL may have. Servers take 8 KiB of a request's line; signed URLs of storage services have up to 4 KiB.
    package static let longest = 16 << 10

    package init(_ text: String) throws(HTTPError) {
        try self.init(text, relativeTo: nil)
    }

    /// What a `Location` or `Link` header means when it came with the answer to this URL.
    package func resolving(_ reference: String) throws(HTTPError) -> HTTPURL {
        try HTTPURL(reference, relativeTo: self)
    }

    private init(_ text: String, relativeTo base: HTTPURL?) throws(HTTPError) {
        func invalid(_ cause: String?) -> HTTPError {
            HTTPError(.invalidRequest, "a URL cannot be used", place: base?.description, cause: cause)
        }
        guard text.utf8.count <= Self.longest else {
            throw HTTPError(
                .tooLarge, "a URL is too long", place: base?.description,
                cause: "it has \(text.utf8.count) bytes where at most \(Self.longest) are taken")
        }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else {
            throw invalid("it has spaces or control characters")
        }
        guard let handle = curl_url() else { throw invalid("no memory") }
        defer { curl_url_cleanup(handle) }
        if let base { curl_url_set(handle, CURLUPART_URL, base.text, 0) }
        let flags = UInt32(CURLU_DISALLOW_USER) | UInt32(CURLU_URLENCODE) | UInt32(CURLU_PATH_AS_IS)
        let result = curl_url_set(handle, CURLUPART_URL, text, flags)
        guard result == CURLUE_OK else { throw invalid(String(cString: curl_url_strerror(result))) }
        curl_url_set(handle, CURLUPART_FRAGMENT, nil, 0)

        func part(_ part: CURLUPart, _ flags: Int32 = 0) -> String? {
            var value: UnsafeMutablePointer<CChar>?
            guard curl_url_get(handle, part, &value, UInt32(flags)) == CURLUE_OK, let value else { return nil }
            defer { curl_free(value) }
            return String(cString: value)
        }
        guard let whole = part(CURLUPART_URL), let scheme = part(CURLUPART_SCHEME)?.lowercased(),
            let host = part(CURLUPART_HOST)?.lowercased(), !host.isEmpty,
            let port = part(CURLUPART_PORT, CURLU_DEFAULT_PORT).flatMap({ Int($0) })
        else { throw invalid("it is not complete") }
        guard scheme == "http" || scheme == "https" else { throw invalid("its scheme is neither http nor https") }
        self.text = whole
        self.scheme = scheme
        self.host = host
        self.port = port
        path = part(CURLUPART_PATH) ?? "/"
    }

    package var isSecure: Bool { scheme == "https" }

    /// `host` or `host:port`, as the `Host` header has it.
    package var authority: String { port == (isSecure ? 443 : 80) ? host : "\(host):\(port)" }

    /// What two URLs must share for one to see the other's credentials.
    package var origin: String { "\(scheme)://\(host):\(port)" }

    /// For messages: queries carry tokens and signatures, so they are left out, and long paths are cut.
    package var description: String {
        let isLong = path.utf8.count > 512
        return "\(scheme)://\(authority)\(isLong ? path.prefix(512) + "…" : path[...])"
    }

    var isLoopback: Bool {
        host == "localhost" || host.hasSuffix(".localhost") || host.hasPrefix("127.") || host == "[::1]"
    }
}
