import Foundation
import TestSupport
import Testing

/// A push that is told, on an agent that would not look for an hour.
@Suite(.tags(.endToEnd)) struct WebhookTests {
    @Test func `a webhook rolls out a commit long before the next look`() async throws {
        let fixture = try AgentFixture("webhook")
        let repository = try fixture.repository("shop", step: "cat /number > /made")
        let port = try Server.freePort()
        try Data("s3cret-of-the-hook\n".utf8).write(to: URL(fileURLWithPath: fixture.scratch.file("secret")))
        try fixture.write(
            """
            \(fixture.configuration(["shop"], interval: "1h"))
            webhooks:
              listen: 127.0.0.1:\(port)
              receivers: [{type: generic, secretFile: "\(fixture.scratch.file("secret"))"}]
            """)
        let agent = try fixture.start()
        defer { agent.stop() }
        try await waitUntil("the first image is rolled out") {
            try fixture.image(of: "shop", in: repository) == "acme/shop:v1" && fixture.states() == ["shop": "ok"]
        }

        func tell(_ secret: String) throws -> String {
            try Shell.run([
                "curl", "-s", "-m", "10", "-o", fixture.scratch.file("answer"), "-w", "%{http_code}", "-H",
                "Authorization: Bearer \(secret)", "-d", "{\"repository\": \"file://\(repository.path)\"}",
                "http://127.0.0.1:\(port)/webhooks/generic",
            ]).stdout
        }
        try repository.commit(["app/number": "1\n"])
        #expect(try tell("wrong") == "401")
        #expect(try tell("s3cret-of-the-hook") == "202")
        try await waitUntil("the second image is rolled out") {
            try fixture.image(of: "shop", in: repository) == "acme/shop:v2"
        }
        #expect(try fixture.get("/webhooks/generic").status == "404")
        let metrics = try fixture.get("/metrics").body
        #expect(
            metrics.contains("slipway_webhook_requests_total{receiver=\"generic\",result=\"accepted\"} 1"), "\(metrics)"
        )
        #expect(
            metrics.contains("slipway_webhook_requests_total{receiver=\"generic\",result=\"refused\"} 1"), "\(metrics)")
        #expect(!agent.log.contains("s3cret-of-the-hook"))
    }
}
