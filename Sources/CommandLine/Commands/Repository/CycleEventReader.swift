import Agent
import HTTP
import OCI
import Synchronization

/// Reads the events of a cycle as they come.
final class CycleEventReader: BodyReceiver {
    private struct State {
        var rest: [UInt8] = []
        var last: CycleEvent?
        var problem: String?
    }

    private let state = Mutex(State())
    private let say: @Sendable (String) -> Void

    init(_ say: @escaping @Sendable (String) -> Void) { self.say = say }

    /// Of one line: a report with its diff.
    private static let limit = 256 << 20

    func begin(_ head: HTTPHead) -> Bool { true }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let lines = state.withLock { state -> [ArraySlice<UInt8>]? in
            state.rest += bytes
            guard state.rest.count <= Self.limit else { return nil }
            // A long line is looked through once, not with each of its pieces.
            guard bytes.contains(UInt8(ascii: "\n")) else { return [] }
            var lines = state.rest.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            state.rest = Array(lines.popLast() ?? [])
            return lines
        }
        guard let lines else { return false }
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
