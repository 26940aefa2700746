import Agent
import Foundation
import TestSupport
import Testing

/// `slipway notify --test`.
@Suite(.tags(.integration)) struct ChannelTrialTests {
    private let scratch: TemporaryDirectory

    init() throws { scratch = try TemporaryDirectory("notify") }

    private func configuration(_ url: String) throws -> AgentConfiguration {
        try "\(url)/services/T0/B0/XXXXsecretXXXXsecret".write(
            toFile: scratch.file("url"), atomically: true, encoding: .utf8)
        let text = """
            repositories: [{url: /srv/shop.git}]
            notifications:
              pages: https://slipway.example.com/
              channels: [{name: ops, type: slack, insecure: true, urlFile: \(scratch.file("url"))}]
            """
        return try ConfigurationFile.parse(Array(text.utf8), file: "agent.yaml")
    }

    @Test func `one message is sent, and the answer shown`() async throws {
        let server = try FakeHost.slack.server()
        let result = try await NotificationTest.send(
            by: "ops", of: configuration(server.url))
        #expect(result.delivered)
        #expect(result.host == server.host)
        #expect(result.status == 200)
        #expect(result.answer == "ok")
        #expect(result.error == nil)
        #expect(server.requests.count == 1)
        #expect(try Sent(server.requests[0].body).texts.contains { $0.contains("slipway notify --test") })
    }

    @Test func `a refusal is shown without the secret`() async throws {
        let server = try StubServer { .text(404, "no_service \($0.target)") }
        let result = try await NotificationTest.send(
            by: "ops", of: configuration(server.url))
        #expect(!result.delivered)
        #expect(result.status == 404)
        #expect(result.error == "the host answered 404: no_service [secret]")
        #expect(result.hint?.isEmpty == false)
    }

    @Test func `a channel that is not there is named with those that are`() async throws {
        let configuration = try configuration("http://127.0.0.1:1")
        let error = await #expect(throws: AgentError.self) {
            try await NotificationTest.send(by: "nobody", of: configuration)
        }
        #expect(error?.hint == "there are: ops")
    }
}
