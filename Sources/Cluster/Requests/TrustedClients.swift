import HTTP
import Synchronization

/// The HTTP clients of an API server: one as long as the client certificate stays the same.
final class TrustedClients: Sendable {
    private let endpoint: ClusterEndpoint
    private let userAgent: String
    private let current: Mutex<(trust: HTTPConfiguration.Trust, client: HTTPClient)?> = Mutex(nil)

    init(_ endpoint: ClusterEndpoint, userAgent: String) {
        self.endpoint = endpoint
        self.userAgent = userAgent
    }

    func client(for trust: HTTPConfiguration.Trust) -> HTTPClient {
        current.withLock { current in
            if let current, current.trust == trust { return current.client }
            let client = HTTPClient(configuration(trust))
            current = (trust, client)
            return client
        }
    }

    private func configuration(_ trust: HTTPConfiguration.Trust) -> HTTPConfiguration {
        var configuration = HTTPConfiguration()
        configuration.userAgent = userAgent
        let authority = "\(endpoint.server.host):\(endpoint.server.port)"
        configuration.trust[authority] = trust
        configuration.proxies = endpoint.proxies
        // Whoever writes `http://` for an API server, a proxy of kubectl's say, means it.
        configuration.plainHTTP = .hosts([authority])
        configuration.connectTimeout = 10
        configuration.stallTimeout = 60
        configuration.stallRate = 1
        configuration.maximumRedirects = 0
        // Watches are transfers, too, and each build in a Job has three.
        configuration.concurrency = 1_024
        return configuration
    }
}
