package import Telemetry
import Webhooks

/// The agent's traces: one for a commit, from the webhook or the look that found it to the commit that rolls its image out.
///
/// Attributes have the names of OpenTelemetry's semantic conventions (HTTP, VCS, CICD, container) where there are some, else `slipway.`.
package struct AgentTracing: Sendable {
    private let tracer: Tracer?
    private let exporter: SpanExporter?

    /// Traces nothing.
    package static let off = AgentTracing(tracer: nil, exporter: nil)

    private init(tracer: Tracer?, exporter: SpanExporter?) {
        self.tracer = tracer
        self.exporter = exporter
    }

    /// - Parameter tracer: with a sink of its own.
    package init(_ tracer: Tracer) { self.init(tracer: tracer, exporter: nil) }

    /// Begins to export where the environment asks for it.
    ///
    /// - Parameter say: told what is ignored, and when sending begins to fail or works again.
    package static func start(
        _ environment: [String: String], metrics: Metrics, say: @escaping @Sendable (String) -> Void
    ) -> AgentTracing {
        guard let settings = TracingSettings(environment, note: say) else { return .off }
        let exporter = SpanExporter(
            settings, version: Version.number,
            reports: SpanExporter.Reports(
                count: { outcome, count in
                    metrics.add("slipway_trace_spans_total", Double(count), [("result", outcome.rawValue)])
                },
                trouble: { reason in
                    say(reason.map { "traces cannot be sent: \($0)" } ?? "traces are sent again")
                }))
        exporter.start()
        return AgentTracing(tracer: Tracer(settings.sampler, to: exporter), exporter: exporter)
    }

    /// Sends what is left.
    package func shutdown(within limit: Duration) async { await exporter?.shutdown(within: limit) }

    // MARK: Spans

    /// A webhook was believed and concerns a repository.
    func webhook(_ receiver: String, _ request: WebhookRequest) -> Span? {
        tracer?.begin(
            "\(request.method) /webhooks/{receiver}", .server,
            parent: request.header("traceparent").flatMap { SpanContext(traceparent: $0) },
            attributes: [
                "http.request.method": .text(request.method), "http.route": .text("/webhooks/{receiver}"),
                "http.request.body.size": .integer(Int64(request.body.count)), "slipway.receiver": .text(receiver),
            ])
    }

    /// A cycle begins.
    ///
    /// - Parameter causes: webhooks and builds that it begins for, the first one first; none: it is time to look.
    func cycle(
        _ repository: AgentConfiguration.RepositoryConfiguration, _ mode: CycleMode, because causes: [SpanContext]
    ) -> CycleSpan? {
        guard let tracer, mode != .plan else { return nil }
        let buffer = tracer.buffer()
        let span = tracer.begin(
            "cycle", parent: causes.first, links: Array(causes.dropFirst()),
            attributes: [
                "slipway.repository": .text(repository.name),
                "vcs.repository.url.full": .text(ShownURL.text(repository.url)),
                "vcs.ref.head.name": .text(repository.branch), "vcs.ref.head.type": .text("branch"),
            ], buffer: buffer)
        return CycleSpan(span: span, buffer: buffer, hasCause: !causes.isEmpty)
    }
}

/// The span of a cycle, told only when the cycle was about something.
struct CycleSpan: Sendable {
    let span: Span
    let buffer: SpanBuffer
    let hasCause: Bool

    /// The buffer of the cycle that the current task works for: a build that begins makes it worth telling.
    @TaskLocal static var buffer: SpanBuffer?

    /// Runs a cycle, whose parts are the span's.
    static func run<Value>(in cycle: CycleSpan?, _ body: () async -> Value) async -> Value {
        guard let cycle else { return await body() }
        return await $buffer.withValue(cycle.buffer) {
            await Span.$current.withValue(cycle.span) { await body() }
        }
    }

    func end(_ report: CycleReport) {
        var attributes: [String: AttributeValue] = ["slipway.updates": .integer(Int64(report.updates.count))]
        if let revision = report.revision { attributes["vcs.ref.head.revision"] = .text(revision) }
        if let commit = report.commit { attributes["slipway.commit"] = .text(commit) }
        span.set(attributes)
        if let failure = report.failures.first { span.fail(failure.phase.rawValue, failure.message) }
        span.end()
        buffer.decide(
            isWorthTelling: hasCause || report.commit != nil || !report.images.isEmpty
                || report.failures.contains { $0.isRemembered != true })
    }
}
