import Telemetry

/// What the next cycle begins for, as far as it is traced. Bounded: a thousand webhooks are one cycle.
struct SpanCauses: Sendable {
    private static let limit = 32

    private var contexts: [SpanContext] = []

    mutating func add(_ cause: SpanContext?) {
        guard let cause, contexts.count < Self.limit else { return }
        contexts.append(cause)
    }

    /// All of them, which are forgotten then; the first one came first.
    mutating func take() -> [SpanContext] {
        defer { contexts = [] }
        return contexts
    }
}
