import Synchronization

/// Keeps spans until it is known whether they are worth telling: most looks at a repository find nothing new.
package final class SpanBuffer: SpanSink {
    private enum Decision { case open, kept, discarded }

    private struct State {
        var spans: [SpanRecord] = []
        var decision = Decision.open
        var isWanted = false
    }

    /// Spans that wait; what comes later is left out.
    private static let limit = 1_000

    private let next: any SpanSink
    private let state = Mutex(State())

    init(_ next: any SpanSink) { self.next = next }

    package func record(_ span: SpanRecord) {
        let passes = state.withLock { state in
            if state.decision == .open, state.spans.count < Self.limit { state.spans.append(span) }
            return state.decision == .kept
        }
        if passes { next.record(span) }
    }

    /// Something happened that is worth telling.
    package func want() { state.withLock { $0.isWanted = true } }

    /// Passes on what is there and what is still to come, if that is worth telling, else drops it.
    package func decide(isWorthTelling: Bool) {
        let spans = state.withLock { state -> [SpanRecord] in
            guard state.decision == .open else { return [] }
            state.decision = isWorthTelling || state.isWanted ? .kept : .discarded
            defer { state.spans = [] }
            return state.decision == .kept ? state.spans : []
        }
        for span in spans { next.record(span) }
    }
}
