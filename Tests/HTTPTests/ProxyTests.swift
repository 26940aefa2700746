import Diagnostics
import HTTP
import TestSupport
import Testing

@Suite(.tags(.unit)) struct ProxyRuleTests {
    private static let exceptions = "example.com, .sub.only,10.0.0.0/8 host:8080,192.0.2.7,fd00::/8,[::2]:81,*.star.org"

    @Test(arguments: [
        ("https://registry.test/", "http://tls:1"), ("http://registry.test/", "http://plain:1"),
        ("https://localhost/", nil), ("http://127.0.0.1:5000/", nil), ("https://[::1]/", nil),
        ("https://example.com/", nil), ("https://a.example.com:444/", nil), ("https://notexample.com/", "http://tls:1"),
        ("https://sub.only/", "http://tls:1"), ("https://a.sub.only/", nil),
        ("https://10.1.2.3/", nil), ("https://11.1.2.3/", "http://tls:1"), ("https://192.0.2.7:99/", nil),
        ("https://host:8080/", nil), ("https://host/", "http://tls:1"),
        ("https://[fd12::1]/", nil), ("https://[fe12::1]/", "http://tls:1"), ("http://[::2]:81/", nil),
        ("http://[::2]/", "http://plain:1"), ("https://x.star.org/", nil), ("https://star.org/", "http://tls:1"),
        ("https://own.test:5000/", "http://own:2"), ("https://own.test/", "http://tls:1"),
        ("https://direct.test/", nil),
    ])
    func theEnvironmentDecides(_ url: String, _ expected: String?) throws {
        var proxies = Proxies(environment: [
            "HTTP_PROXY": "http://plain:1", "https_proxy": "http://tls:1", "HTTPS_PROXY": "http://ignored:1",
            "NO_PROXY": Self.exceptions,
        ])
        proxies.byHost = ["own.test:5000": "http://own:2", "direct.test": ""]
        #expect(try proxies.proxy(for: HTTPURL(url)) == expected)
    }

    @Test func otherWordsOfTheEnvironment() throws {
        let url = try HTTPURL("http://registry.test/")
        #expect(Proxies(environment: [:]).proxy(for: url) == nil)
        #expect(Proxies(environment: ["ALL_PROXY": "socks5://s:1"]).proxy(for: url) == "socks5://s:1")
        #expect(Proxies(environment: ["HTTP_PROXY": "p", "NO_PROXY": "*"]).proxy(for: url) == nil)
        #expect(Proxies(environment: ["HTTP_PROXY": "p", "REQUEST_METHOD": "GET"]).proxy(for: url) == nil)
        #expect(Proxies(environment: ["http_proxy": "p", "REQUEST_METHOD": "GET"]).proxy(for: url) == "p")
    }
}

/// Against a small forward proxy of our own in the test's process.
@Suite(.tags(.integration)) struct ForwardProxyTests {
    private func client(_ change: (inout HTTPConfiguration) -> Void) -> HTTPClient {
        var configuration = HTTPConfiguration()
        configuration.plainHTTP = .everywhere
        change(&configuration)
        return HTTPClient(configuration)
    }

    @Test func plainRequestsGoThroughIt() async throws {
        let server = try StubServer { _ in .text(200, "reached") }
        let proxy = try ForwardProxy(user: "me", password: "p@ss", resolving: ["registry.test:80": server.port])
        let client = client { $0.proxies.http = "http://me:p%40ss@\(proxy.host)" }
        let url = try HTTPURL("http://registry.test/v2/")
        #expect(try await client.send(HTTPRequest("GET", url), limit: 100).body == Array("reached".utf8))
        #expect(proxy.requests == ["GET http://registry.test/v2/"])
        #expect(server.requests.first?.headers["proxy-authorization"] == nil)
        let wrong = self.client { $0.proxies.http = "http://me:wrong@\(proxy.host)" }
        #expect(try await wrong.send(HTTPRequest("GET", url), limit: 100).status == 407)
    }

    @Test func refusalsOfTheProxyAreTold() async throws {
        let proxy = try ForwardProxy(user: "me", password: "secret", resolving: [:])
        for (address, words) in [
            ("http://me:hunter2@\(proxy.host)", "refuses"), ("ftp://me:hunter2@\(proxy.host)", "cannot be used"),
            ("http://me:hunter2@unknown.invalid:1", "through the proxy"),
        ] {
            let client = client { $0.proxies.https = address }
            let error = await #expect(throws: HTTPError.self) {
                _ = try await client.send(HTTPRequest("GET", HTTPURL("https://registry.test/")), limit: 100)
            }
            #expect(error?.code == .proxy, "\(String(describing: error))")
            #expect(error?.summary.contains(words) == true, "\(String(describing: error))")
            #expect(error?.description.contains("hunter2") == false)
        }
    }
}
