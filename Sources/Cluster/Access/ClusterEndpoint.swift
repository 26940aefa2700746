package import HTTP

/// An API server, and how to reach it.
package struct ClusterEndpoint: Sendable {
    package var server: HTTPURL
    /// Of objects that name none.
    package var namespace = "default"
    package var trust = HTTPConfiguration.Trust()
    package var proxies = Proxies()
    package var credentials = ClusterCredentials.none
    /// Certificates and keys that were given inline; they live as long as this.
    package var files: [MemoryFile] = []

    package init(server: HTTPURL) { self.server = server }
}

/// What proves who asks; a client certificate is part of the trust.
package enum ClusterCredentials: Sendable {
    case none
    case bearer(String)
    /// Read before each request, since the kubelet renews it.
    case tokenFile(String)
    case exec(ExecPlugin)
}
