import AgentFakes
import Builder
import Foundation
import Git
import Telemetry
import TestSupport
import Testing
import Webhooks

@testable import Agent

/// What a scrape of the agent has: real promtool looks at it, and the dashboard, the rules and the documentation name nothing else.
@Suite(.tags(.integration), .thorough) struct MetricsTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path
    private static let prefix = "registry.example.com/acme/"

    /// An agent that has built, updated, failed, held back and reloaded.
    private static func world(_ directory: TemporaryDirectory) async throws -> DaemonWorld {
        var webhooks = WebhookConfiguration()
        try TextFile.write("correct horse\n", to: directory.file("secret"))
        var receiver = WebhookConfiguration.Receiver(name: "hook", kind: .generic)
        receiver.secretFiles = [directory.file("secret")]
        webhooks.receivers = [receiver]
        let world = try await DaemonWorld("bad", "shop", webhooks: webhooks)
        world.host("shop").commit([
            ".slipway.yaml": World.builds(("web", "v{build.number}")), "web/Dockerfile": "FROM scratch",
            "deploy/web.yaml": World.deployment("web", image: "\(prefix)web:v0", policy: "glob:v*"),
        ])
        world.host("bad").commit([
            ".slipway.yaml": World.builds(("app", "v1")), "app/Dockerfile": "FROM scratch",
        ])
        world.builder.onBuild(of: "app") { _ throws(BuildError) in
            throw BuildError(.step, "the step failed with exit code 7")
        }
        try await world.begin()
        try await world.until("the image is rolled out") {
            world.host("shop").text("deploy/web.yaml")?.contains("web:v1") == true
        }
        try await world.idle()
        let request = WebhookRequest(
            method: "POST", headers: [(name: "Authorization", value: "Bearer correct horse")],
            body: Array(#"{"repository":"\#(FakeHosts.url("shop"))"}"#.utf8))
        #expect(await world.loop.webhook("hook", request).status == 202)
        try await world.until("the webhook's cycle is counted") {
            world.health.metrics.text.contains("slipway_webhook_cycle_seconds_count 1\n")
        }
        try await world.idle()
        _ = try await world.loop.reload(DaemonWorld.configuration(["bad", "shop"])) { _ in }
        try await world.idle()
        // Real ones are counted in DaemonNotificationTests.
        world.health.metrics.add("slipway_notifications_total", 1, [("channel", "ops"), ("outcome", "delivered")])
        return world
    }

    private static func names(in scrape: String) -> Set<String> {
        Set(
            scrape.split(separator: "\n").filter { !$0.hasPrefix("#") }.compactMap {
                $0.split { $0 == "{" || $0 == " " }.first.map(String.init)
            })
    }

    private static func value(_ series: String, in scrape: String) -> Double? {
        scrape.split(separator: "\n").first { $0.hasPrefix(series + " ") }.flatMap {
            Double($0.dropFirst(series.count + 1))
        }
    }

    @Test func `promtool finds nothing to complain of, and every metric of the table is there`() async throws {
        let world = try await Self.world(try TemporaryDirectory("metrics"))
        let scrape = world.loop.metrics(as: .prometheus)
        let found = try Shell.run(["promtool", "check", "metrics"], input: Array(scrape.utf8), allowFailure: true)
        #expect(found.status == 0, "\(found.stdout)\(found.stderr)")
        #expect(found.stdout + found.stderr == "")
        let names = Self.names(in: scrape)
        for family in MetricTable.families {
            let sample = if case .histogram = family.kind { family.name + "_count" } else { family.name }
            #expect(names.contains(sample), "\(sample)")
        }
        for type in [MetricsFormat.prometheus, .openMetrics] {
            for line in world.loop.metrics(as: type).split(separator: "\n") where line.hasPrefix("# HELP slipway_") {
                #expect(line.hasSuffix("."), "\(line)")
            }
        }
        await world.loop.stop()
    }

    @Test func `a client of OpenMetrics reads the same`() async throws {
        let world = try await Self.world(try TemporaryDirectory("metrics"))
        let program = """
            import sys
            from prometheus_client.openmetrics.parser import text_string_to_metric_families as read
            for family in read(sys.stdin.read()):
                print(family.name, family.type, len(family.samples))
            """
        let output = try Shell.run(
            [Self.root + "/.build-venv/bin/python", "-c", program],
            input: Array(world.loop.metrics(as: .openMetrics).utf8))
        let lines = output.stdout.split(separator: "\n")
        #expect(lines.count == MetricTable.families.count, "\(output)")
        for line in [
            "slipway_build info 1", "slipway_reloads counter 2", "slipway_repository_state gauge 2",
            "slipway_webhook_cycle_seconds histogram 13", "slipway_cycle_seconds histogram 22",
        ] { #expect(lines.contains(Substring(line)), "\(line) of \(lines)") }
        await world.loop.stop()
    }

    @Test func `what happened is what is told`() async throws {
        let world = try await Self.world(try TemporaryDirectory("metrics"))
        let scrape = world.health.metrics.text
        for (series, value) in [
            (#"slipway_builds_total{repository="shop",result="success"}"#, 1.0),
            (#"slipway_builds_total{repository="bad",result="failure"}"#, 1),
            (#"slipway_build_seconds_count{result="success"}"#, 1),
            (#"slipway_build_seconds_count{result="failure"}"#, 1),
            (#"slipway_push_seconds_count{result="success"}"#, 1), ("slipway_build_queue_wait_seconds_count", 2),
            (#"slipway_build_queue_length{state="waiting"}"#, 0), (#"slipway_build_queue_length{state="running"}"#, 0),
            (#"slipway_repository_state{repository="shop",state="ok"}"#, 1),
            (#"slipway_repository_state{repository="bad",state="stalled"}"#, 1),
            ("slipway_cache_size_bytes", Double(1 << 20)), ("slipway_cache_limit_bytes", Double(1 << 30)),
            (#"slipway_build_info{version="\#(Version.number)"}"#, 1), ("slipway_webhook_cycle_seconds_count", 1),
            (#"slipway_held_updates{repository="shop"}"#, 0), ("slipway_webhook_cycles_total", 1),
            ("process_start_time_seconds", 1_700_000_000),
        ] { #expect(Self.value(series, in: scrape) == value, "\(series)") }
        #expect(!scrape.contains(#"repository="shop",state="building""#))
        // The old name of what is a histogram now.
        #expect((Self.value(#"slipway_cycle_seconds_sum{repository="shop"}"#, in: scrape) ?? 0) > 0)
        // The image's age grows without anything being asked.
        let age = #"slipway_image_age_seconds{repository="shop",image="\#(Self.prefix)web"}"#
        let before = try #require(Self.value(age, in: scrape))
        world.clock.advance(by: 7)
        #expect(Self.value(age, in: world.health.metrics.text) == before + 7)
        await world.loop.stop()
    }

    @Test func `the state of a paused repository is that it is paused`() async throws {
        let world = try await Self.world(try TemporaryDirectory("metrics"))
        _ = try await world.loop.pause("shop", PauseRequest())
        let paused = #"slipway_repository_state{repository="shop",state="paused"}"#
        #expect(Self.value(paused, in: world.health.metrics.text) == 1)
        #expect(!world.health.metrics.text.contains(#"{repository="shop",state="ok"}"#))
        await world.loop.stop()
    }

    @Test func `what a repository writes makes no series without end`() async throws {
        let world = try await DaemonWorld("shop")
        let names = (0..<120).map { "image\($0)" }
        var files: [String: String?] = [
            ".slipway.yaml": names.prefix(20).map { World.builds(($0, "v1")) }.enumerated()
                .map { $0.offset == 0 ? $0.element : String($0.element.dropFirst("builds:\n".count)) }.joined()
        ]
        for name in names {
            files["\(name)/Dockerfile"] = "FROM scratch"
            files["deploy/\(name).yaml"] = World.deployment(
                name, image: "acme/\(name):1.0.0", policy: "glob:*")
            world.registry.push("acme/\(name)", "1.0.0", created: 1_600_000_000)
        }
        world.host("shop").commit(files)
        try await world.begin()
        try await world.until("all is built") { try world.status("shop").state == .ok }
        let scrape = world.health.metrics.text
        #expect(Self.value(#"slipway_followed_images{repository="shop"}"#, in: scrape) ?? 0 >= 120)
        let ages = scrape.split(separator: "\n").filter { $0.hasPrefix("slipway_image_age_seconds{") }
        #expect(ages.count == FollowedImageAges.limit)
        #expect(scrape.split(separator: "\n").count { $0.contains("image7") } <= 11)
        await world.loop.stop()
    }

    // MARK: What is written about them

    /// The metrics that a text names.
    private static func mentioned(in text: String) -> Set<String> {
        let names = text.split { !($0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_")) }
        return Set(names.filter { $0.hasPrefix("slipway_") || $0.hasPrefix("process_") }.map(String.init))
    }

    /// The names that samples of the table have.
    private static var samples: Set<String> {
        Set(
            MetricTable.families.flatMap { family in
                if case .histogram = family.kind {
                    ["", "_bucket", "_sum", "_count"].map { family.name + $0 }
                } else {
                    [family.name]
                }
            })
    }

    @Test(arguments: [
        "config/dashboards/slipway.json", "config/rules/slipway.yaml", "config/rules/slipway.test.yaml",
        "config/rules/slipway-days.test.yaml",
    ])
    func `dashboard and rules name metrics that are scraped, and none that goes away`(_ file: String) async throws {
        let text = try String(contentsOfFile: "\(Self.root)/\(file)", encoding: .utf8)
        let names = Self.mentioned(in: text)
        #expect(!names.isEmpty)
        let world = try await Self.world(try TemporaryDirectory("metrics"))
        let scraped = Self.names(in: world.loop.metrics(as: .prometheus))
        #expect(names.subtracting(scraped) == [])
        let former = MetricTable.families.filter { $0.replacement != nil }.map(\.name)
        #expect(names.isDisjoint(with: former))
        await world.loop.stop()
    }

    @Test func `promtool accepts the rules, and each fires when it should and not else`() throws {
        let rules = Self.root + "/config/rules"
        #expect(try Shell.run(["promtool", "check", "rules", "slipway.yaml"], in: rules).stdout.contains("SUCCESS"))
        let files = ["slipway.test.yaml", "slipway-days.test.yaml"]
        #expect(try Shell.run(["promtool", "test", "rules"] + files, in: rules).stdout.contains("SUCCESS"))
        let tests = try files.map { try String(contentsOfFile: "\(rules)/\($0)", encoding: .utf8) }.joined()
        let alerts = try String(contentsOfFile: rules + "/slipway.yaml", encoding: .utf8).split(separator: "\n")
            .compactMap { $0.split(separator: "- alert: ").last.flatMap { $0.hasPrefix("Slipway") ? $0 : nil } }
        #expect(alerts.count >= 10)
        for alert in alerts {
            let cases = tests.components(separatedBy: "        alertname: \(alert)\n").dropFirst()
            #expect(cases.count { $0.hasPrefix("        exp_alerts:\n") } == 1, "\(alert) fires")
            #expect(cases.count { $0.hasPrefix("        exp_alerts: []\n") } == 1, "\(alert) does not fire")
        }
    }

    @Test func `the dashboard can be provisioned anywhere`() throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: Self.root + "/config/dashboards/slipway.json"))
        let dashboard = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(dashboard["uid"] as? String == "slipway")
        #expect(dashboard["id"] is NSNull)
        let panels = try #require(dashboard["panels"] as? [[String: Any]])
        #expect(panels.count > 20)
        #expect(Set(panels.compactMap { $0["id"] as? Int }).count == panels.count)
        for panel in panels where panel["type"] as? String != "row" {
            #expect((panel["datasource"] as? [String: Any])?["uid"] as? String == "${datasource}")
            let targets = try #require(panel["targets"] as? [[String: Any]])
            #expect(!targets.isEmpty)
            for target in targets {
                #expect((target["datasource"] as? [String: Any])?["uid"] as? String == "${datasource}")
            }
        }
    }

    @Test func `the documentation has every metric, with type, labels and meaning`() throws {
        let text = try String(contentsOfFile: Self.root + "/docs/metrics.md", encoding: .utf8)
        let rows = Set(
            text.split(separator: "\n").filter { $0.hasPrefix("| `slipway_") || $0.hasPrefix("| `process_") }
                .map(String.init))
        let expected = Set(
            MetricTable.families.map { family in
                let labels = family.labels.map { "`\($0)`" }.joined(separator: ", ")
                return "| `\(family.name)` | \(family.kind.prometheusType) | \(labels) | \(family.help) |"
            })
        #expect(rows == expected)
        #expect(Self.mentioned(in: text).subtracting(Self.samples) == [])
    }

    @Test func `names in the code are in the table`() throws {
        let sources = try FileManager.default.subpathsOfDirectory(atPath: Self.root + "/Sources/Agent")
        var used: Set<String> = []
        for file in sources where file.hasSuffix(".swift") && !file.hasSuffix("MetricTable.swift") {
            let text = try String(contentsOfFile: "\(Self.root)/Sources/Agent/\(file)", encoding: .utf8)
            for prefix in ["slipway_", "process_"] {
                for part in text.components(separatedBy: "\"" + prefix).dropFirst() {
                    used.insert(prefix + part.prefix { $0 != "\"" })
                }
            }
        }
        #expect(used.count > 20)
        #expect(used.symmetricDifference(MetricTable.families.map(\.name)) == [])
    }
}
