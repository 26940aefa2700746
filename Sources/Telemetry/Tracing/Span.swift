import Glibc
import Synchronization

/// Something that takes time, while it lasts.
package final class Span: Sendable {
    /// The span that the current task works for; `nil` when nothing is traced. Tasks that are begun inherit it.
    @TaskLocal package static var current: Span?

    package let context: SpanContext
    private let sink: any SpanSink
    private let state: Mutex<SpanRecord?>

    /// - Parameter sink: where it goes when it has ended.
    init(_ record: SpanRecord, to sink: any SpanSink) {
        context = record.context
        self.sink = sink
        // What is not sampled keeps nothing.
        state = Mutex(record.context.isSampled ? record : nil)
    }

    /// Begins a part of it.
    package func child(_ name: String, _ attributes: [String: AttributeValue] = [:]) -> Span {
        let record = SpanRecord(
            name: name, kind: .internal,
            context: SpanContext(
                trace: context.trace, span: .random(in: 1...UInt64.max), isSampled: context.isSampled),
            parent: context, links: [], start: Self.now, end: 0, attributes: attributes.mapValues(\.bounded))
        return Span(record, to: sink)
    }

    package func set(_ attributes: [String: AttributeValue]) {
        state.withLock { $0?.attributes.merge(attributes.mapValues(\.bounded)) { _, new in new } }
    }

    /// Says what went wrong.
    ///
    /// - Parameters:
    ///   - type: one of few, for `error.type`.
    ///   - message: for people, without secrets.
    package func fail(_ type: String, _ message: String) {
        state.withLock { state in
            state?.failure = SpanRecord.Failure(type: type, message: AttributeValue.shortened(message))
            state?.attributes["error.type"] = .text(type)
        }
    }

    /// Ends it; a second time does nothing.
    package func end() {
        let record = state.withLock { state -> SpanRecord? in
            defer { state = nil }
            return state
        }
        guard var record else { return }
        record.end = max(record.start, Self.now)
        sink.record(record)
    }

    /// Runs a part of the current span; without one, just runs it. An error that is thrown is the part's failure.
    package static func part<Value>(
        _ name: String, _ attributes: @autoclosure () -> [String: AttributeValue] = [:],
        _ body: () async throws -> Value
    ) async throws -> Value {
        guard let span = current?.child(name, attributes()) else { return try await body() }
        defer { span.end() }
        do {
            return try await $current.withValue(span) { try await body() }
        } catch {
            span.fail("\(type(of: error))", "\(error)")
            throw error
        }
    }

    /// Nanoseconds since 1970.
    static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(max(0, time.tv_sec)) * 1_000_000_000 + UInt64(max(0, time.tv_nsec))
    }
}
