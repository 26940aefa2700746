/// What a client is told once about hosts and patience.
package struct HTTPConfiguration: Sendable {
    /// How far a host is trusted. Keys of `trust` are `host:port`, or `host` for all its ports.
    package struct Trust: Sendable, Hashable {
        /// Certificates (PEM) that are trusted beside the system's.
        package var certificateBundle: String?
        package var skipsVerification: Bool
        /// The certificate (PEM, with its chain) that this client shows, and its key; without a key file, the key is in
        /// the file of the certificate.
        package var clientCertificate: String?
        package var clientKey: String?

        package init(
            certificateBundle: String? = nil, skipsVerification: Bool = false, clientCertificate: String? = nil,
            clientKey: String? = nil
        ) {
            self.certificateBundle = certificateBundle
            self.skipsVerification = skipsVerification
            self.clientCertificate = clientCertificate
            self.clientKey = clientKey
        }
    }

    package enum PlainHTTP: Sendable, Hashable {
        case everywhere
        /// Only these: `host:port`, `host` for all its ports, `*` for all that do not speak TLS.
        case hosts(Set<String>)
    }

    package var userAgent = "slipway"
    package var trust: [String: Trust] = [:]
    /// Whether no host's certificate is verified.
    package var skipsVerification = false
    /// A file (PEM) that is read where a host has no bundle of its own, instead of the system's, which may be gone when it is
    /// needed.
    package var systemBundle: String?
    package var plainHTTP = PlainHTTP.hosts([])
    /// Whether plain HTTP is allowed with this machine and private networks too, where no answer named them.
    package var allowsPlainHTTPLocally = false
    package var proxies = Proxies()
    /// A Unix socket that all requests go to, whatever host their URLs name; 107 bytes at most. No proxy is asked then.
    package var unixSocket: String?
    /// Seconds to resolve, connect and shake hands.
    package var connectTimeout = 15
    /// Seconds in which less than `stallRate` bytes a second move before a transfer is given up.
    package var stallTimeout = 60
    package var stallRate = 1024
    /// Seconds that a whole transfer may take whose answer comes back in memory, however steadily it drips; a transfer to
    /// a receiver or of a large body is as long as its bytes move.
    package var timeout = 300
    package var maximumRedirects = 10
    /// Bytes of all header lines of one answer, and of one of them.
    package var headerLimit = 1 << 18
    package var headerLineLimit = 1 << 16
    /// Transfers at the same time.
    package var concurrency = 24
    /// Connections kept open when idle.
    package var idleConnections = 32

    package init() {}

    func trust(_ url: HTTPURL) -> Trust {
        var found = trust["\(url.host):\(url.port)"] ?? trust[url.host] ?? Trust()
        if skipsVerification { found.skipsVerification = true }
        return found
    }

    package var transport: TransportPolicy {
        TransportPolicy(plainHTTP: plainHTTP, allowsPlainHTTPLocally: allowsPlainHTTPLocally)
    }
}
