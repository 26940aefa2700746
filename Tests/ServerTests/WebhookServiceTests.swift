import Agent
import HTTP
import Server
import TestSupport
import Testing

/// Webhooks over HTTP: on the agent's address, or on one where there is nothing else.
@Suite(.tags(.integration)) struct WebhookServiceTests {
    private struct Address {
        let agent = FakeAgent()
        let server: AgentServer
        private let client: HTTPClient

        /// - Parameter isAlone: whether there is nothing else; `nil`: there are no webhooks.
        init(isAlone: Bool?) async throws {
            server =
                switch isAlone {
                case true?: try await .startWebhooks(address: "127.0.0.1:0", control: agent)
                default:
                    try await .start(address: "127.0.0.1:0", control: agent, takesWebhooks: isAlone != nil)
                }
            var configuration = HTTPConfiguration()
            configuration.plainHTTP = .hosts(["127.0.0.1"])
            client = HTTPClient(configuration)
        }

        func ask(_ method: String, _ path: String, _ body: [UInt8]? = nil) async throws -> HTTPResponse {
            let url = try HTTPURL("http://127.0.0.1:\(server.port)" + path)
            return try await client.send(
                HTTPRequest(method, url, body: body.map { .bytes($0) } ?? .none), limit: 1 << 20)
        }
    }

    @Test(arguments: [
        ("POST", "/webhooks/git", "webhook git  POST 2"), ("POST", "/webhooks/hub/s3cret", "webhook hub s3cret POST 2"),
        ("GET", "/webhooks/git", "webhook git  GET 0"), ("POST", "/webhooks/a%2Fb?x=1", "webhook a/b  POST 2"),
    ])
    func `a request reaches its receiver`(_ method: String, _ path: String, _ asked: String) async throws {
        for isAlone in [false, true] {
            let address = try await Address(isAlone: isAlone)
            let answer = try await address.ask(method, path, method == "GET" ? nil : Array("{}".utf8))
            #expect(answer.status == 202)
            #expect(String(decoding: answer.body, as: UTF8.self) == "noted\n")
            #expect(answer.headers["Allow"] == "POST")
            #expect(address.agent.asked == [asked])
            await address.server.stop()
        }
    }

    @Test func `an answer says when to come again`() async throws {
        let address = try await Address(isAlone: true)
        let answer = try await address.ask("POST", "/webhooks/busy", [])
        #expect(answer.status == 429)
        #expect(answer.headers["Retry-After"] == "2")
        await address.server.stop()
    }

    @Test func `where webhooks are alone, there is nothing else`() async throws {
        let address = try await Address(isAlone: true)
        for path in ["/", "/healthz", "/metrics", "/api/v1/status", "/webhooks", "/webhooks/a/b/c", "/webhook/a"] {
            for method in ["GET", "POST"] { #expect(try await address.ask(method, path).status == 404, "\(path)") }
        }
        #expect(address.agent.asked == [])
        await address.server.stop()
    }

    @Test func `where they are not, there are none`() async throws {
        let address = try await Address(isAlone: nil)
        #expect(try await address.ask("POST", "/webhooks/git", []).status == 404)
        #expect(try await address.ask("GET", "/healthz").status == 200)
        #expect(address.agent.asked == [])
        await address.server.stop()
    }

    @Test func `the socket for commands takes none`() async throws {
        let served = try await ServedAgent()
        #expect(try await served.ask("POST", "/webhooks/git", "{}").status == 404)
        await served.stop()
    }

    @Test(arguments: [(3 << 20, 202), ((3 << 20) + 1, 413)]) func `strangers send no more than this`(
        _ size: Int, _ status: Int
    ) async throws {
        let address = try await Address(isAlone: true)
        let answer = try await address.ask("POST", "/webhooks/git", [UInt8](repeating: 0x20, count: size))
        #expect(answer.status == status)
        await address.server.stop()
    }
}
