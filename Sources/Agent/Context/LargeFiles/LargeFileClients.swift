import Git
import HTTP
import Synchronization

/// HTTP clients for a Git LFS server and for where it sends on, each host by what the repository's settings trust.
final class LargeFileClients: Sendable {
    private let credentials: GitCredentials
    private let clients = Mutex<[String: HTTPClient]>([:])

    init(_ credentials: GitCredentials) { self.credentials = credentials }

    /// - Parameter api: the server, which is reached without TLS when that is how its repository is.
    func client(for url: HTTPURL, plain api: HTTPURL) -> HTTPClient {
        clients.withLock { clients in
            if let known = clients[url.origin] { return known }
            var configuration = HTTPConfiguration()
            configuration.userAgent = Version.userAgent
            configuration.plainHTTP = Self.plainHTTP(api)
            configuration.skipsVerification = credentials.insecureSkipTLSVerify
            if let file = credentials.caFile { configuration.trust[url.host] = .init(certificateBundle: file) }
            configuration.proxies = .environment
            if let proxy = credentials.proxy {
                configuration.proxies.http = proxy.address
                configuration.proxies.https = proxy.address
            }
            let client = HTTPClient(configuration)
            clients[url.origin] = client
            return client
        }
    }

    /// Where the server's answers may lead.
    func policy(plain api: HTTPURL) -> TransportPolicy {
        var configuration = HTTPConfiguration()
        configuration.plainHTTP = Self.plainHTTP(api)
        return configuration.transport
    }

    private static func plainHTTP(_ api: HTTPURL) -> HTTPConfiguration.PlainHTTP {
        .hosts(api.isSecure ? [] : ["\(api.host):\(api.port)"])
    }
}
