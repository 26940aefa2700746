/// Which traces are recorded (OpenTelemetry specification, "Built-in samplers").
package indirect enum Sampler: Sendable, Equatable {
    case alwaysOn
    case alwaysOff
    /// A share from 0 to 1, decided by the trace's name, so that every process decides alike.
    case traceIDRatio(Double)
    /// As the parent says; without one, as the other sampler does.
    case parentBased(Sampler)

    func samples(_ trace: TraceID, parent: SpanContext?) -> Bool {
        switch self {
        case .alwaysOn: true
        case .alwaysOff: false
        case .traceIDRatio(let share): share >= 1 || Double(trace.low >> 1) < share * 0x1p63
        case .parentBased(let root): parent?.isSampled ?? root.samples(trace, parent: nil)
        }
    }
}
