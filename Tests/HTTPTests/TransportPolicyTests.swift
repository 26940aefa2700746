import Diagnostics
import TestSupport
import Testing

@testable import HTTP

/// Which URLs are reached without TLS, by who named them.
@Suite(.tags(.unit)) struct TransportPolicyTests {
    private func policy(_ hosts: Set<String>, locally: Bool = false) -> TransportPolicy {
        var configuration = HTTPConfiguration()
        configuration.plainHTTP = .hosts(hosts)
        configuration.allowsPlainHTTPLocally = locally
        return configuration.transport
    }

    private func isAllowed(_ url: String, from source: String?, _ policy: TransportPolicy) throws -> Bool {
        let (url, source) = (try HTTPURL(url), try source.map { try HTTPURL($0) })
        do throws(HTTPError) {
            try policy.check(url, namedBy: source)
            return true
        } catch {
            #expect(error.code == .plainHTTPRefused && !error.isTransient)
            return false
        }
    }

    @Test(arguments: [
        // TLS may lead anywhere, and be led to.
        ("https://other/x", "http://plain:5000/", true), ("https://other/x", "https://secure/", true),
        // In the clear: back to where it came from, and to what is declared by that name and port.
        ("http://plain:5000/x", "http://plain:5000/", true), ("http://undeclared/x", "http://undeclared/", true),
        ("http://plain:5001/x", "http://plain:5000/", false), ("http://plain/x", "http://plain:5000/", false),
        ("http://every:1/x", "http://plain:5000/", true), ("http://every/x", "http://plain:5000/", true),
        ("http://other/x", "http://plain:5000/", false), ("http://sub.every/x", "http://plain:5000/", false),
        ("http://[::1]:5000/x", "http://plain:5000/", true), ("http://[::1]:5001/x", "http://plain:5000/", false),
        // From TLS: to another host that is declared, and never to the same one without it.
        ("http://plain:5000/x", "https://secure/", true), ("http://other/x", "https://secure/", false),
        ("http://secure/x", "https://secure/", false), ("http://secure:443/x", "https://secure/", false),
        ("http://every/x", "https://every/", false), ("http://every:8443/x", "https://every:8443/", false),
        ("http://every/x", "https://every:8443/", false), ("http://every:5001/x", "https://every:8443/", true),
    ])
    func `an answer's URL`(_ url: String, _ source: String, _ expected: Bool) throws {
        #expect(try isAllowed(url, from: source, policy(["plain:5000", "every", "[::1]:5000"])) == expected)
    }

    /// `*` is said of hosts without TLS; a host with TLS leads to those only that are named.
    @Test func `all hosts`() throws {
        let all = policy(["*", "named"])
        #expect(try isAllowed("http://any:1/", from: nil, all))
        #expect(try isAllowed("http://any:1/", from: "http://plain/", all))
        #expect(try !isAllowed("http://any:1/", from: "https://secure/", all))
        #expect(try isAllowed("http://named:1/", from: "https://secure/", all))
        let everywhere = TransportPolicy(plainHTTP: .everywhere, allowsPlainHTTPLocally: false)
        #expect(try isAllowed("http://any:1/", from: "http://plain/", everywhere))
        #expect(try !isAllowed("http://any:1/", from: "https://secure/", everywhere))
    }

    /// What a user may name in private networks, an answer may not lead to.
    @Test(arguments: ["localhost:1", "127.0.0.1:1", "10.1.2.3", "192.168.0.1", "[::1]:1", "nas.local"])
    func `this machine and private networks`(_ host: String) throws {
        let url = "http://\(host)/"
        #expect(try isAllowed(url, from: nil, policy([], locally: true)))
        #expect(try !isAllowed(url, from: nil, policy([])), "no host is local by itself")
        #expect(try isAllowed(url + "x", from: url, policy([], locally: true)))
        for source in ["http://10.9.9.9/", "https://secure/"] {
            #expect(try !isAllowed(url, from: source, policy([], locally: true)))
        }
    }

    @Test func `a URL is bounded, and shorter in messages`() throws {
        let long = "http://host/" + String(repeating: "a", count: HTTPURL.longest)
        let error = #expect(throws: HTTPError.self) { _ = try HTTPURL(long) }
        #expect(error?.code == .tooLarge && error?.description.utf8.count ?? 0 < 200)
        let url = try HTTPURL(String(long.prefix(8000)))
        #expect(url.text.utf8.count == 8000 && url.description.utf8.count < 600)
    }
}
