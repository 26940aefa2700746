import HTTP
import TestSupport
import Testing

/// The format of a scrape is the one that the client prefers.
@Suite(.tags(.integration)) struct MetricsAnswerTests {
    @Test(
        arguments: [
            (
                "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
                "application/openmetrics-text", "# EOF\n"
            ),
            ("text/plain", "text/plain", "slipway_up 1\n"), (nil, "text/plain", "slipway_up 1\n"),
        ] as [(String?, String, String)])
    func `by Accept`(_ accept: String?, _ type: String, _ body: String) async throws {
        let served = try await ServedAgent()
        var request = HTTPRequest("GET", try HTTPURL("http://agent/metrics"))
        if let accept { request.headers.add("Accept", accept) }
        let response = try await served.client.send(request, limit: 1 << 20)
        #expect(response.headers["Content-Type"]?.hasPrefix(type + "; version=") == true)
        #expect(String(decoding: response.body, as: UTF8.self) == body)
        await served.stop()
    }
}
