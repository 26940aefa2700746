import Agent
import HTTP
import OCI
import Synchronization

/// Reads the events of a cycle as they come.
final class CycleEventReader: BodyReceiver {
    private struct State {
        /// A line may be a report with its diff.
        var lines = ArrivingLines(limit: 256 << 20)
        var last: CycleEvent?
        var problem: String?
    }

    private let state = Mutex(State())
    private let say: @Sendable (String) -> Void

    init(_ say: @escaping @Sendable (String) -> Void) { self.say = say }

    func begin(_ head: HTTPHead) -> Bool { true }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let lines = state.withLock({ $0.lines.take(bytes) }) else { return false }
        for line in lines where !line.isEmpty { take(Array(line)) }
        return true
    }

    private func take(_ line: [UInt8]) {
        do throws(OCIError) {
            let event = try CanonicalJSON.decode(CycleEvent.self, from: line)
            if let text = event.line { say(text) } else { state.withLock { $0.last = event } }
        } catch { state.withLock { $0.problem = error.cause ?? error.summary } }
    }

    func result(at path: String) throws(ControlError) -> [CycleReport] {
        let (last, problem) = state.withLock { ($0.last, $0.problem) }
        if let error = last?.error { throw error }
        guard let reports = last?.reports else { throw AgentConnection.notUnderstood(problem, at: path) }
        return reports
    }
}
