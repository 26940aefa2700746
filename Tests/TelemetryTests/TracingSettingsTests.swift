import HTTP
import TestSupport
import Testing

@testable import Telemetry

/// What the environment says of traces, by OpenTelemetry's specification.
@Suite(.tags(.unit)) struct TracingSettingsTests {
    private static func settings(_ environment: [String: String]) -> (settings: TracingSettings?, notes: [String]) {
        var notes: [String] = []
        let settings = TracingSettings(environment) { notes.append($0) }
        return (settings, notes)
    }

    private static let base = ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"]

    private static func settings(with variables: [String: String]) -> (settings: TracingSettings?, notes: [String]) {
        settings(base.merging(variables) { _, new in new })
    }

    @Test(arguments: [
        (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"], "http://collector:4318/v1/traces"),
        (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/"], "http://collector:4318/v1/traces"),
        (["OTEL_EXPORTER_OTLP_ENDPOINT": "https://c.example.com/otlp"], "https://c.example.com/otlp/v1/traces"),
        (["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/mine"], "http://c:4318/mine"),
        (["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318"], "http://c:4318/"),
        (
            ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/1", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://d"],
            "http://c/1"
        ),
        (["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://d"], "http://d/v1/traces"),
    ])
    func `where traces go`(_ environment: [String: String], _ url: String) throws {
        let (settings, notes) = Self.settings(environment)
        #expect(notes == [])
        #expect(settings?.endpoint.description == (try HTTPURL(url)).description)
    }

    @Test(
        arguments: [
            ([:], 0), (["OTEL_SERVICE_NAME": "x"], 0),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "TRUE"], 0),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "none"], 0),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "zipkin"], 1),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"], 1),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"], 1),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_HEADERS": "nonsense"], 1),
        ] as [([String: String], Int)])
    func `when none are sent`(_ environment: [String: String], _ notes: Int) {
        let found = Self.settings(environment)
        #expect(found.settings == nil)
        #expect(found.notes.count == notes, "\(found.notes)")
    }

    @Test func `headers, resource and times`() throws {
        let (settings, notes) = Self.settings(with: [
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic%20YTpi, x-tenant=a%3Db",
            "OTEL_RESOURCE_ATTRIBUTES": "service.name=other,k8s.namespace.name=ci%2Ctwo", "OTEL_SERVICE_NAME": "bot",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "2500", "OTEL_BSP_MAX_QUEUE_SIZE": "100", "OTEL_BSP_SCHEDULE_DELAY": "50",
            "OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca.pem", "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY": "/key.pem",
        ])
        let found = try #require(settings)
        #expect(notes == [])
        #expect(found.headers.map(\.name) == ["authorization", "x-tenant"])
        #expect(found.headers.map(\.value) == ["Basic YTpi", "a=b"])
        #expect(found.resource == ["service.name": "bot", "k8s.namespace.name": "ci,two"])
        #expect(found.timeout == 3)
        #expect(found.queueLimit == 100)
        #expect(found.batchSize == 100)
        #expect(found.delay == .milliseconds(50))
        #expect(found.trust.certificateBundle == "/ca.pem")
        #expect(found.trust.clientKey == "/key.pem")
        #expect(Self.settings(with: [:]).settings?.resource == ["service.name": "slipway"])
    }

    @Test func `what is wrong is named and never shown`() {
        let (settings, notes) = Self.settings(with: [
            "OTEL_RESOURCE_ATTRIBUTES": "a=1,hunter2", "OTEL_EXPORTER_OTLP_TIMEOUT": "hunter2",
            "OTEL_TRACES_SAMPLER": "hunter2", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        ])
        #expect(settings?.resource == ["service.name": "slipway"])
        #expect(settings?.timeout == 10)
        #expect(notes.count == 4, "\(notes)")
        #expect(!notes.joined().contains("hunter2"))
        let (none, refused) = Self.settings(with: ["OTEL_EXPORTER_OTLP_HEADERS": "authorization: hunter2"])
        #expect(none == nil)
        #expect(!refused.joined().contains("hunter2"))
    }

    @Test(
        arguments: [
            (nil, nil, Sampler.parentBased(.alwaysOn)), ("always_on", nil, .alwaysOn), ("always_off", nil, .alwaysOff),
            ("traceidratio", "0.25", .traceIDRatio(0.25)), ("parentbased_always_on", nil, .parentBased(.alwaysOn)),
            ("parentbased_always_off", nil, .parentBased(.alwaysOff)),
            ("parentbased_traceidratio", "0.5", .parentBased(.traceIDRatio(0.5))),
            ("traceidratio", nil, .traceIDRatio(1)),
            ("traceidratio", "7", .traceIDRatio(1)), ("jaeger_remote", nil, .parentBased(.alwaysOn)),
        ] as [(String?, String?, Sampler)])
    func `which are recorded`(_ name: String?, _ argument: String?, _ sampler: Sampler) {
        var variables: [String: String] = [:]
        variables["OTEL_TRACES_SAMPLER"] = name
        variables["OTEL_TRACES_SAMPLER_ARG"] = argument
        #expect(Self.settings(with: variables).settings?.sampler == sampler)
    }

    @Test func `a share of traces, and what the parent says`() {
        let recorded = (0..<4_000).count { number in
            let low = UInt64(number) &* 0x9e37_79b9_7f4a_7c15
            return Sampler.traceIDRatio(0.25).samples(TraceID(high: 1, low: low), parent: nil)
        }
        #expect((900...1_100).contains(recorded))
        let trace = TraceID(high: 1, low: .max)
        for isSampled in [true, false] {
            let parent = SpanContext(trace: trace, span: 1, isSampled: isSampled)
            #expect(Sampler.parentBased(.alwaysOff).samples(trace, parent: parent) == isSampled)
            #expect(Sampler.alwaysOn.samples(trace, parent: parent))
        }
        #expect(!Sampler.parentBased(.alwaysOff).samples(trace, parent: nil))
    }

    @Test(arguments: [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true as Bool?),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", false),
        ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later", true),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later", nil),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", nil),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", nil),
        ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", nil),
        ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", nil),
        ("00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01", nil), ("", nil), ("---", nil), ("00-+1-+1-01", nil),
    ])
    func `traceparent`(_ text: String, _ isSampled: Bool?) {
        let context = SpanContext(traceparent: text)
        #expect(context?.isSampled == isSampled)
        if let context {
            #expect(context.trace.hexadecimal == "4bf92f3577b34da6a3ce929d0e0e4736")
            #expect(SpanContext.hexadecimal(context.span) == "00f067aa0ba902b7")
        }
    }
}
