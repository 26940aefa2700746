import Agent
import HTTP
import OCI
import Synchronization

/// Reads Server-Sent Events as they come (WHATWG HTML, section 9.2), as far as the agent writes them: one `data` line an event.
final class EventStreamReader: BodyReceiver {
    private struct State {
        var lines = ArrivingLines(limit: 16 << 20)
        var id: String?
    }

    private let state = Mutex(State())
    private let opened: @Sendable () -> Void
    private let take: @Sendable (AgentEvent) -> Void

    /// - Parameter opened: called when all events that follow will come.
    init(opened: @escaping @Sendable () -> Void, _ take: @escaping @Sendable (AgentEvent) -> Void) {
        self.opened = opened
        self.take = take
    }

    /// Of the last event that came, for the next attempt.
    var lastID: String? { state.withLock(\.id) }

    func begin(_ head: HTTPHead) -> Bool { true }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let lines = state.withLock({ $0.lines.take(bytes) }) else { return false }
        for line in lines {
            if line.starts(with: Array("id: ".utf8)) {
                let id = String(decoding: line.dropFirst(4), as: UTF8.self)
                state.withLock { $0.id = id }
            } else if line.starts(with: Array("data: ".utf8)),
                // A kind of a newer agent is nothing to this program.
                let event = try? CanonicalJSON.decode(AgentEvent.self, from: Array(line.dropFirst(6)))
            {
                take(event)
            } else if line.starts(with: Array("retry: ".utf8)) {
                opened()
            }
        }
        return true
    }
}
