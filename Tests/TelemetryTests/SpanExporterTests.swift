import Foundation
import HTTP
import Synchronization
import TestSupport
import Testing

@testable import Telemetry

/// Spans on their way to a collector.
@Suite(.tags(.integration)) struct SpanExporterTests {
    /// What an exporter tells.
    private final class Told: Sendable {
        private let state = Mutex<(counts: [SpanExporter.Outcome: Int], troubles: [String?])>(([:], []))

        var reports: SpanExporter.Reports {
            SpanExporter.Reports(
                count: { outcome, count in self.state.withLock { $0.counts[outcome, default: 0] += count } },
                trouble: { reason in self.state.withLock { $0.troubles.append(reason) } })
        }

        func count(_ outcome: SpanExporter.Outcome) -> Int { state.withLock { $0.counts[outcome] ?? 0 } }
        var troubles: [String?] { state.withLock(\.troubles) }
    }

    private static func exporter(
        _ url: String, _ told: Told, _ variables: [String: String] = [:]
    ) throws -> SpanExporter {
        var environment = ["OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "1"]
        environment.merge(variables) { _, new in new }
        let settings = try #require(TracingSettings(environment) { Issue.record("\($0)") })
        return SpanExporter(settings, version: "1.2.3", reports: told.reports)
    }

    private static func json(_ request: StubRequest) throws -> [String: Any] {
        let value = try JSONSerialization.jsonObject(with: Data(request.body))
        return try #require(value as? [String: Any])
    }

    @Test func `a request has the shape of the protocol's JSON`() async throws {
        let server = try StubServer { _ in .text(200, "{}") }
        defer { server.stop() }
        let told = Told()
        let exporter = try Self.exporter(
            server.url, told,
            [
                "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20t", "OTEL_RESOURCE_ATTRIBUTES": "host.name=h",
                "OTEL_BSP_SCHEDULE_DELAY": "600000",
            ])
        exporter.start()
        let tracer = Tracer(.parentBased(.alwaysOff), to: exporter)
        let remote = try #require(
            SpanContext(traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))
        let root = tracer.begin("POST /webhooks/{receiver}", .server, parent: remote, links: [remote])
        let part = root.child(
            "step",
            ["a": .text("é\u{0}\"/"), "b": .integer(.max), "c": .flag(true), "d": .texts(["x", "y"])])
        part.fail("step", "exit code 7")
        part.end()
        part.end()
        root.end()
        // What is not sampled is not sent.
        tracer.begin("cycle").end()
        await exporter.shutdown(within: .seconds(10))

        #expect(server.requests.count == 1)
        let request = try #require(server.requests.first)
        #expect(request.method == "POST")
        #expect(request.target == "/v1/traces")
        #expect(request.headers["content-type"] == "application/json")
        #expect(request.headers["authorization"] == "Bearer t")
        let document = try Self.json(request)
        let resourceSpans = try #require(document["resourceSpans"] as? [[String: Any]])
        #expect(resourceSpans.count == 1)
        let resource = try #require(resourceSpans[0]["resource"] as? [String: [[String: Any]]])
        #expect(resource["attributes"]?.map { $0["key"] as? String } == ["host.name", "service.name"])
        #expect(resource["attributes"]?.last?["value"] as? [String: String] == ["stringValue": "slipway"])
        let scopeSpans = try #require(resourceSpans[0]["scopeSpans"] as? [[String: Any]])
        #expect(scopeSpans[0]["scope"] as? [String: String] == ["name": "slipway", "version": "1.2.3"])
        let spans = try #require(scopeSpans[0]["spans"] as? [[String: Any]])
        #expect(spans.map { $0["name"] as? String } == ["step", "POST /webhooks/{receiver}"])
        let (step, webhook) = (spans[0], spans[1])
        for span in spans {
            #expect(span["traceId"] as? String == "4bf92f3577b34da6a3ce929d0e0e4736")
            #expect((span["spanId"] as? String)?.wholeMatch(of: /[0-9a-f]{16}/) != nil)
            let (start, end) = (span["startTimeUnixNano"] as? String, span["endTimeUnixNano"] as? String)
            #expect(UInt64(start ?? "") ?? 0 > 1_700_000_000_000_000_000)
            #expect(UInt64(end ?? "") ?? 0 >= UInt64(start ?? "") ?? .max)
        }
        #expect(webhook["kind"] as? Int == 2)
        #expect(step["kind"] as? Int == 1)
        #expect(webhook["parentSpanId"] as? String == "00f067aa0ba902b7")
        #expect(step["parentSpanId"] as? String == webhook["spanId"] as? String)
        #expect(webhook["flags"] as? Int == 0x301)
        #expect(step["flags"] as? Int == 0x101)
        #expect(webhook["status"] == nil)
        let status = try #require(step["status"] as? [String: Any])
        #expect(status["code"] as? Int == 2)
        #expect(status["message"] as? String == "exit code 7")
        let links = try #require(webhook["links"] as? [[String: Any]])
        #expect(links.map { $0["spanId"] as? String } == ["00f067aa0ba902b7"])
        let attributes = try #require(step["attributes"] as? [[String: Any]])
        #expect(attributes.map { $0["key"] as? String } == ["a", "b", "c", "d", "error.type"])
        let values = attributes.map { $0["value"] as? [String: Any] }
        #expect(values[0]?["stringValue"] as? String == "é\u{0}\"/")
        #expect(values[1]?["intValue"] as? String == "9223372036854775807")
        #expect(values[2]?["boolValue"] as? Bool == true)
        let array = values[3]?["arrayValue"] as? [String: [[String: String]]]
        #expect(array?["values"] == [["stringValue": "x"], ["stringValue": "y"]])
        #expect(told.count(.exported) == 2)
        #expect(told.troubles.isEmpty)
    }

    @Test func `a collector that is busy is asked again, and told of once`() async throws {
        let answers = Mutex(0)
        let server = try StubServer { _ in
            let number = answers.withLock { count in
                count += 1
                return count
            }
            return number <= 2
                ? .text([429, 503][number - 1], "", headers: [("Retry-After", "0")])
                : .text(200, #"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"one is odd"}}"#)
        }
        defer { server.stop() }
        let told = Told()
        let exporter = try Self.exporter(server.url, told)
        exporter.start()
        let tracer = Tracer(.alwaysOn, to: exporter)
        let root = tracer.begin("cycle")
        root.child("fetch").end()
        root.end()
        try await waitUntil("they are sent") { told.count(.exported) + told.count(.rejected) >= 2 }
        #expect(told.count(.rejected) >= 1)
        #expect(told.troubles.count == 2)
        #expect(told.troubles.first.flatMap { $0 }?.contains("429") == true)
        #expect(told.troubles.last == .some(nil))
        await exporter.shutdown(within: .seconds(10))
    }

    @Test func `what a collector refuses is not sent again`() async throws {
        let server = try StubServer { _ in .text(400, "no") }
        defer { server.stop() }
        let told = Told()
        let exporter = try Self.exporter(server.url, told)
        exporter.start()
        Tracer(.alwaysOn, to: exporter).begin("cycle").end()
        try await waitUntil("it is refused") { told.count(.rejected) == 1 }
        await exporter.shutdown(within: .seconds(10))
        #expect(server.requests.count == 1)
        #expect(told.troubles.compactMap { $0 }.count == 1)
    }

    @Test func `a collector that is away holds up nobody, and the queue has an end`() async throws {
        // Nobody listens there.
        let server = try StubServer { _ in .text(200, "") }
        let url = server.url
        server.stop()
        let told = Told()
        let exporter = try Self.exporter(url, told, ["OTEL_BSP_MAX_QUEUE_SIZE": "10"])
        exporter.start()
        let tracer = Tracer(.alwaysOn, to: exporter)
        for _ in 1...1_000 { tracer.begin("cycle").end() }
        #expect(told.count(.dropped) >= 900)
        await exporter.shutdown(within: .seconds(10))
        #expect(told.count(.dropped) == 1_000)
        // What comes after the end is counted as well.
        tracer.begin("cycle").end()
        #expect(told.count(.dropped) == 1_001)
    }

    @Test func `a collector that says nothing is not waited for at the end`() async throws {
        let server = try StubServer { _ in .stall([]) }
        defer { server.stop() }
        let told = Told()
        let exporter = try Self.exporter(server.url, told)
        exporter.start()
        Tracer(.alwaysOn, to: exporter).begin("cycle").end()
        await exporter.shutdown(within: .milliseconds(100))
        #expect(told.count(.dropped) == 1)
        #expect(told.count(.exported) == 0)
    }

    @Test func `batches have a bound`() async throws {
        let server = try StubServer { _ in .text(200, "") }
        defer { server.stop() }
        let told = Told()
        let exporter = try Self.exporter(
            server.url, told, ["OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4", "OTEL_BSP_SCHEDULE_DELAY": "600000"])
        let tracer = Tracer(.alwaysOn, to: exporter)
        for _ in 1...10 { tracer.begin("cycle").end() }
        exporter.start()
        // A full batch does not wait for the time to pass.
        try await waitUntil("they are sent") { told.count(.exported) == 10 }
        #expect(server.requests.count == 3)
        await exporter.shutdown(within: .seconds(10))
    }

    @Test func `spans of what came to nothing are not sent`() async throws {
        let collected = Collector()
        let tracer = Tracer(.alwaysOn, to: collected)
        for isWorth in [false, true] {
            let buffer = tracer.buffer()
            let root = tracer.begin("cycle", buffer: buffer)
            let late = root.child("build")
            for _ in 1...2_000 { root.child("scan").end() }
            root.end()
            buffer.decide(isWorthTelling: isWorth)
            late.end()
        }
        #expect(collected.names.count { $0 == "scan" } == 1_000)
        #expect(collected.names.count { $0 == "build" } == 1)
    }

    private final class Collector: SpanSink {
        private let spans = Mutex<[String]>([])
        var names: [String] { spans.withLock { $0 } }
        func record(_ span: SpanRecord) { spans.withLock { $0.append(span.name) } }
    }
}
