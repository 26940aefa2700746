import TestSupport
import Testing

@testable import Telemetry

/// How a registry's values are written for a scrape.
@Suite(.tags(.unit)) struct ExpositionTests {
    private static func registry() -> MetricRegistry {
        let registry = MetricRegistry([
            MetricFamily("app_requests_total", .counter, labels: ["path"], help: "Requests, by \"path\"."),
            MetricFamily("app_wait_seconds", .histogram(buckets: [0.5, 1, 10]), help: "A wait."),
            MetricFamily("app_build_info", .info, labels: ["version"], help: "The version."),
            MetricFamily("app_image_age_seconds", .age, labels: ["image"], help: "An age."),
            MetricFamily("app_unused_bytes", .gauge, help: "A gauge without a value."),
        ])
        registry.add(2, to: "app_requests_total", LabelSet([("path", "C:\\a\"b\nc")]))
        registry.set(1, of: "app_build_info", LabelSet([("version", "1.2.3")]))
        registry.set(400, of: "app_image_age_seconds", LabelSet([("image", "db")]))
        for wait in [0.25, 0.5, 0.75, 100] { registry.observe(wait, in: "app_wait_seconds", LabelSet([])) }
        return registry
    }

    @Test func `the text format 0.0.4`() {
        #expect(
            Self.registry().text(as: .prometheus, now: 1_000) == #"""
                # HELP app_build_info The version.
                # TYPE app_build_info gauge
                app_build_info{version="1.2.3"} 1.0
                # HELP app_image_age_seconds An age.
                # TYPE app_image_age_seconds gauge
                app_image_age_seconds{image="db"} 600.0
                # HELP app_requests_total Requests, by "path".
                # TYPE app_requests_total counter
                app_requests_total{path="C:\\a\"b\nc"} 2.0
                # HELP app_wait_seconds A wait.
                # TYPE app_wait_seconds histogram
                app_wait_seconds_bucket{le="0.5"} 2
                app_wait_seconds_bucket{le="1.0"} 3
                app_wait_seconds_bucket{le="10.0"} 3
                app_wait_seconds_bucket{le="+Inf"} 4
                app_wait_seconds_sum 101.5
                app_wait_seconds_count 4

                """#)
    }

    @Test func `OpenMetrics names families without suffixes, has units and an end`() {
        #expect(
            Self.registry().text(as: .openMetrics, now: 1_000) == #"""
                # HELP app_build The version.
                # TYPE app_build info
                app_build_info{version="1.2.3"} 1.0
                # HELP app_image_age_seconds An age.
                # TYPE app_image_age_seconds gauge
                # UNIT app_image_age_seconds seconds
                app_image_age_seconds{image="db"} 600.0
                # HELP app_requests Requests, by \"path\".
                # TYPE app_requests counter
                app_requests_total{path="C:\\a\"b\nc"} 2.0
                # HELP app_wait_seconds A wait.
                # TYPE app_wait_seconds histogram
                # UNIT app_wait_seconds seconds
                app_wait_seconds_bucket{le="0.5"} 2
                app_wait_seconds_bucket{le="1.0"} 3
                app_wait_seconds_bucket{le="10.0"} 3
                app_wait_seconds_bucket{le="+Inf"} 4
                app_wait_seconds_sum 101.5
                app_wait_seconds_count 4
                # EOF

                """#)
    }

    @Test(arguments: [
        (
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            MetricsFormat.openMetrics
        ), ("application/openmetrics-text; version=\"1.0.0\"; charset=utf-8", .openMetrics),
        ("application/openmetrics-text", .openMetrics), ("APPLICATION/OPENMETRICS-TEXT;Q=0.3", .openMetrics),
        ("application/openmetrics-text;version=0.0.1", .prometheus),
        ("application/openmetrics-text;q=0", .prometheus), ("text/plain", .prometheus), ("*/*", .prometheus),
        ("text/plain;q=0.9,application/openmetrics-text;q=0.5", .prometheus), ("", .prometheus),
        (";;q=,", .prometheus), ("text/html,application/xhtml+xml", .prometheus),
    ])
    func `the format that a client prefers`(_ accept: String, _ format: MetricsFormat) {
        #expect(MetricsFormat(accept: [accept]) == format)
    }

    @Test func `counters and sums never go backward`() {
        let registry = Self.registry()
        let before = registry.text(as: .prometheus, now: 1_000)
        registry.add(-1, to: "app_requests_total", LabelSet([("path", "C:\\a\"b\nc")]))
        registry.add(.nan, to: "app_requests_total", LabelSet([("path", "C:\\a\"b\nc")]))
        for wait in [-1, Double.nan, .infinity] { registry.observe(wait, in: "app_wait_seconds", LabelSet([])) }
        registry.add(1, to: "app_unknown_total", LabelSet([]))
        #expect(registry.text(as: .prometheus, now: 1_000) == before)
    }

    @Test func `series are bounded, and so are the values of labels`() {
        let registry = Self.registry()
        for number in 0..<(MetricRegistry.seriesLimit + 100) {
            registry.add(1, to: "app_requests_total", LabelSet([("path", "\(number)")]))
        }
        let long = String(repeating: "ä", count: 10_000)
        registry.set(1, of: "app_build_info", LabelSet([("version", long)]))
        let lines = registry.text(as: .prometheus, now: 0).split(separator: "\n")
        #expect(lines.count { $0.hasPrefix("app_requests_total{") } == MetricRegistry.seriesLimit)
        #expect(lines.allSatisfy { $0.utf8.count < 400 })
        // What is there goes on.
        registry.add(1, to: "app_requests_total", LabelSet([("path", "0")]))
        #expect(registry.text(as: .prometheus, now: 0).contains("app_requests_total{path=\"0\"} 2.0\n"))
    }

    @Test func `what is gone has no series`() {
        let registry = MetricRegistry([
            MetricFamily("app_state", .gauge, labels: ["name", "state"], help: "A state."),
            MetricFamily("app_wait_seconds", .histogram(buckets: [1]), labels: ["name"], help: "A wait."),
        ])
        for name in ["a", "a\",x=\"", "ab"] {
            registry.set(1, of: "app_state", LabelSet([("name", name), ("state", "new")]))
            registry.observe(1, in: "app_wait_seconds", LabelSet([("name", name)]))
        }
        registry.replace(
            "app_state", with: [(labels: LabelSet([("name", "ab"), ("state", "old")]), value: 1)], where: "name",
            is: "ab")
        registry.forget("name", "a")
        let text = registry.text(as: .prometheus, now: 0)
        #expect(!text.contains("name=\"a\""))
        #expect(text.contains("app_state{name=\"ab\",state=\"old\"} 1.0"))
        #expect(!text.contains("app_state{name=\"ab\",state=\"new\"}"))
        #expect(text.contains(#"app_wait_seconds_count{name="a\",x=\""} 1"#))
    }

    @Test func `this process`() {
        let reading = ProcessReading()
        #expect(reading.cpuSeconds > 0)
        #expect(reading.residentBytes > 1_000_000)
        #expect((reading.openDescriptors ?? 0) > 2)
        #expect(reading.descriptorLimit > 2)
    }
}
