/// Begins traces.
package struct Tracer: Sendable {
    private let sampler: Sampler
    private let sink: any SpanSink

    package init(_ sampler: Sampler, to sink: any SpanSink) {
        self.sampler = sampler
        self.sink = sink
    }

    /// Begins the first span that this process has of a trace, or another one of a trace that it began before.
    ///
    /// - Parameters:
    ///   - parent: what caused it; `nil`: a new trace.
    ///   - links: what else caused it.
    ///   - buffer: where it goes with all its parts, if not straight to the exporter.
    package func begin(
        _ name: String, _ kind: SpanRecord.Kind = .internal, parent: SpanContext? = nil, links: [SpanContext] = [],
        attributes: [String: AttributeValue] = [:], buffer: SpanBuffer? = nil
    ) -> Span {
        let trace =
            parent?.trace ?? TraceID(high: .random(in: 1...UInt64.max), low: .random(in: 1...UInt64.max))
        let context = SpanContext(
            trace: trace, span: .random(in: 1...UInt64.max), isSampled: sampler.samples(trace, parent: parent))
        let record = SpanRecord(
            name: name, kind: kind, context: context, parent: parent, links: links, start: Span.now, end: 0,
            attributes: attributes.mapValues(\.bounded))
        return Span(record, to: buffer ?? sink)
    }

    /// A place for spans of which it is not known yet whether they are worth telling.
    package func buffer() -> SpanBuffer { SpanBuffer(sink) }
}
