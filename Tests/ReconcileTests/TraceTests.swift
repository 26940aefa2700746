import Agent
import AgentFakes
import Builder
import OCI
import Synchronization
import Telemetry
import TestSupport
import Testing
import Webhooks

/// One trace for a commit, from the webhook to the commit that rolls its image out.
@Suite(.tags(.unit)) struct TraceTests {
    private final class Spans: SpanSink {
        private let state = Mutex<[SpanRecord]>([])
        var all: [SpanRecord] { state.withLock { $0 } }
        func record(_ span: SpanRecord) { state.withLock { $0.append(span) } }
        func clear() { state.withLock { $0 = [] } }

        func named(_ name: String) -> [SpanRecord] { all.filter { $0.name == name } }

        /// The names above a span, from the root on.
        func path(_ span: SpanRecord) -> [String] {
            guard let parent = span.parent else { return [span.name] }
            return (all.first { $0.context == parent }.map(path) ?? ["?"]) + [span.name]
        }
    }

    private static func world(
        _ spans: Spans, _ directory: TemporaryDirectory, sampler: Sampler = .alwaysOn
    ) async throws -> DaemonWorld {
        var webhooks = WebhookConfiguration()
        try TextFile.write("correct horse\n", to: directory.file("secret"))
        var receiver = WebhookConfiguration.Receiver(name: "hook", kind: .generic)
        receiver.secretFiles = [directory.file("secret")]
        webhooks.receivers = [receiver]
        let world = try await DaemonWorld("shop", webhooks: webhooks, tracing: AgentTracing(Tracer(sampler, to: spans)))
        world.host("shop").commit([
            ".slipway.yaml": World.builds(("web", "v{build.number}")), "web/Dockerfile": "FROM scratch",
            "deploy/web.yaml": World.deployment(
                "web", image: "registry.example.com/acme/web:v0", policy: "glob:v*"),
        ])
        try await world.begin()
        try await rollout(of: 1, in: world)
        spans.clear()
        return world
    }

    private static func rollout(of number: Int, in world: DaemonWorld) async throws {
        try await world.until("v\(number) is rolled out") {
            world.host("shop").text("deploy/web.yaml")?.contains("web:v\(number)") == true
        }
        try await world.idle()
    }

    private static func hook(_ world: DaemonWorld, traceparent: String? = nil) async throws {
        var headers = [(name: "Authorization", value: "Bearer correct horse")]
        if let traceparent { headers.append((name: "traceparent", value: traceparent)) }
        let request = WebhookRequest(
            method: "POST", headers: headers, body: Array(#"{"repository":"\#(FakeHosts.url("shop"))"}"#.utf8))
        #expect(await world.loop.webhook("hook", request).status == 202)
    }

    @Test func `from the webhook to the bump`() async throws {
        let (spans, directory) = (Spans(), try TemporaryDirectory("trace"))
        let world = try await Self.world(spans, directory)
        world.builder.tell(
            [
                .stepStarted(stage: "", index: 1, of: 2, text: "COPY . /", location: nil),
                .stepCached(.sha256(of: []), size: 1), .stepFinished(duration: .zero),
                .inStage("app", .stepStarted(stage: "app", index: 2, of: 2, text: "RUN make", location: nil)),
                .inStage("app", .stepFinished(duration: .zero)),
            ], in: "web")
        world.host("shop").commit(["web/main.c": "int main() {}"])
        try await Self.hook(world)
        try await Self.rollout(of: 2, in: world)
        try await world.until("the last cycle is told") { spans.named("cycle").count >= 2 }

        #expect(Set(spans.all.map(\.context.trace)).count == 1)
        let paths = Set(spans.all.map { spans.path($0).joined(separator: " > ") })
        let webhook = "POST /webhooks/{receiver}"
        let pipeline = "\(webhook) > cycle > pipeline"
        for path in [
            webhook, "\(webhook) > cycle", "\(webhook) > cycle > fetch", "\(webhook) > cycle > check", pipeline,
            "\(pipeline) > queue wait", "\(pipeline) > build", "\(pipeline) > build > step", "\(pipeline) > push",
            "\(pipeline) > cycle", "\(pipeline) > cycle > select", "\(pipeline) > cycle > scan",
            "\(pipeline) > cycle > edit", "\(pipeline) > cycle > commit", "\(pipeline) > cycle > git push",
        ] { #expect(paths.contains(path), "\(path) of \(paths.sorted())") }

        let hook = try #require(spans.named(webhook).first)
        #expect(hook.kind == .server)
        #expect(hook.attributes["http.response.status_code"] == .integer(202))
        #expect(hook.attributes["http.route"] == .text("/webhooks/{receiver}"))
        let steps = spans.named("step")
        #expect(steps.map { $0.attributes["cicd.pipeline.task.name"] } == [.text("COPY . /"), .text("RUN make")])
        #expect(steps.map { $0.attributes["slipway.step.cached"] } == [.flag(true), .flag(false)])
        let built = try #require(spans.named("pipeline").first)
        #expect(built.attributes["cicd.pipeline.name"] == .text("web"))
        #expect(built.attributes["cicd.pipeline.result"] == .text("success"))
        #expect(built.attributes["container.image.tags"] == .texts(["v2"]))
        let last = try #require(spans.named("cycle").last { $0.attributes["slipway.commit"] != nil })
        #expect(last.attributes["slipway.updates"] == .integer(1))
        #expect(last.attributes["vcs.ref.head.name"] == .text("main"))
        #expect(spans.all.allSatisfy { $0.end >= $0.start && $0.failure == nil })
        #expect(!"\(spans.all)".contains("correct horse"))
        await world.loop.stop()
    }

    @Test func `a look that finds a commit begins a trace, and one that finds nothing does not`() async throws {
        let (spans, directory) = (Spans(), try TemporaryDirectory("trace"))
        let world = try await Self.world(spans, directory)
        for _ in 1...5 { try await world.nextLook() }
        #expect(spans.all.isEmpty, "\(spans.all.map(\.name))")
        world.host("shop").commit(["web/main.c": "int main() {}"])
        try await world.nextLook()
        try await Self.rollout(of: 2, in: world)
        try await world.until("the last cycle is told") { spans.named("git push").count == 1 }
        #expect(spans.named("git push").map { spans.path($0) } == [["cycle", "pipeline", "cycle", "git push"]])
        await world.loop.stop()
    }

    @Test func `a build that fails is a span that failed`() async throws {
        let (spans, directory) = (Spans(), try TemporaryDirectory("trace"))
        let world = try await Self.world(spans, directory)
        world.builder.tell([.stepStarted(stage: "", index: 1, of: 1, text: "RUN make", location: nil)], in: "web")
        world.builder.onBuild(of: "web") { _ throws(BuildError) in
            throw BuildError(.step, "the step failed with exit code 7")
        }
        world.host("shop").commit(["web/main.c": "int main() {}"])
        try await Self.hook(world)
        try await world.until("it is stalled") { try world.status("shop").state == .stalled }
        try await world.idle()
        for name in ["pipeline", "build", "step"] {
            #expect(spans.named(name).map { $0.failure != nil } == [true], "\(name)")
        }
        #expect(spans.named("pipeline").first?.attributes["cicd.pipeline.result"] == .text("failure"))
        // What is remembered of it is no news at the next looks.
        spans.clear()
        for _ in 1...3 { try await world.nextLook() }
        #expect(spans.all.isEmpty, "\(spans.all.map(\.name))")
        await world.loop.stop()
    }

    @Test func `many webhooks are one cycle with links, and a sender's trace goes on`() async throws {
        let (spans, directory) = (Spans(), try TemporaryDirectory("trace"))
        let world = try await Self.world(spans, directory)
        let gate = Gate()
        world.registry.beforeScan { _ = await gate.pass() }
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        try await Self.hook(world, traceparent: parent)
        try await world.until("the cycle is under way") { await gate.entered == 1 }
        for _ in 1...100 { try await Self.hook(world) }
        await gate.open()
        try await world.idle()
        world.clock.advance(by: 1)
        try await world.until("the second cycle is told") { spans.named("cycle").count == 2 }
        let first = SpanContext(traceparent: parent)?.trace
        #expect(spans.named("cycle").map(\.links.count).sorted() == [0, 31])
        #expect(spans.named("cycle").first { $0.links.isEmpty }?.context.trace == first)
        await world.loop.stop()
    }

    @Test func `a sender that does not record its trace has none here`() async throws {
        let (spans, directory) = (Spans(), try TemporaryDirectory("trace"))
        let world = try await Self.world(spans, directory, sampler: .parentBased(.alwaysOn))
        try await Self.hook(world, traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")
        try await world.until("its cycle has ended") {
            world.health.metrics.text.contains("slipway_webhook_cycle_seconds_count 1\n")
        }
        try await world.idle()
        #expect(spans.all.isEmpty)
        await world.loop.stop()
    }
}
