import Synchronization

/// What the status server answers with; written by the agent's loop, read by requests.
package final class AgentHealth: Sendable {
    private struct State {
        var isReady = false
        var problem = "no cycle has ended yet"
        var reports: [String: String] = [:]
    }

    private let state = Mutex(State())
    package let metrics: Metrics

    package init(metrics: Metrics) { self.metrics = metrics }

    /// Ready once every repository's mirror could be fetched at least once.
    package func set(ready: Bool, problem: String) {
        state.withLock {
            $0.isReady = ready
            $0.problem = problem
        }
    }

    package func set(report json: String, repository: String) {
        state.withLock { $0.reports[repository] = json }
    }

    package var readiness: (isReady: Bool, problem: String) { state.withLock { ($0.isReady, $0.problem) } }

    /// The last report of each repository, as one JSON object.
    package var statusJSON: String {
        state.withLock { state in
            let members = state.reports.sorted { $0.key < $1.key }.map(\.value)
            return "[" + members.joined(separator: ",") + "]\n"
        }
    }
}
