import Synchronization

/// What is told of the running agent: whether it is ready, and how each repository is doing. Written by the loop, read by
/// requests.
package final class AgentHealth: Sendable {
    private struct State {
        var waiting: Set<String>?
        var repositories: [String: RepositoryStatus] = [:]
    }

    private let state = Mutex(State())
    package let metrics: Metrics

    package init(metrics: Metrics) { self.metrics = metrics }

    /// Which repositories there are from now on.
    func expect(_ statuses: [RepositoryStatus]) {
        let gone = state.withLock { state -> [String] in
            let names = Set(statuses.map(\.repository))
            if state.waiting == nil { state.waiting = names }
            state.waiting?.formIntersection(names)
            let gone = state.repositories.keys.filter { !names.contains($0) }
            for name in gone { state.repositories[name] = nil }
            for status in statuses {
                state.repositories[status.repository, default: status].follow(status)
            }
            return gone
        }
        for name in gone { metrics.forget(repository: name) }
    }

    func update(_ repository: String, _ change: (inout RepositoryStatus) -> Void) {
        let status = state.withLock { state -> RepositoryStatus? in
            guard var status = state.repositories[repository] else { return nil }
            change(&status)
            state.repositories[repository] = status
            return status
        }
        if let status { metrics.record(status) }
    }

    /// A build ended, whoever waited for it.
    func record(_ build: BuildEnd) {
        guard status(of: build.key.repository) != nil else { return }
        if case .success(let image) = build.result {
            update(build.key.repository) { $0.record([image]) }
        }
        metrics.record(build)
    }

    /// The first attempt at a repository was made, however it ended, or takes so long that nobody waits for it.
    func attempted(_ repository: String) { state.withLock { _ = $0.waiting?.remove(repository) } }

    package func status(of repository: String) -> RepositoryStatus? { state.withLock { $0.repositories[repository] } }

    /// In the order of their names.
    package var statuses: [RepositoryStatus] {
        state.withLock { $0.repositories.values.sorted { $0.repository < $1.repository } }
    }

    /// Ready: the configuration is read, and the first attempts are made. A repository that fails makes nobody wait.
    package var readiness: (isReady: Bool, text: String) {
        let (waiting, statuses) = state.withLock { ($0.waiting, $0.repositories.values.map(\.self)) }
        guard let waiting else { return (false, "not ready: the agent is starting") }
        guard waiting.isEmpty else {
            return (false, "not ready: not yet looked at: \(waiting.sorted().joined(separator: ", "))")
        }
        let bad = statuses.filter { $0.state == .failing || $0.state == .stalled }
            .sorted { $0.repository < $1.repository }
        guard !bad.isEmpty else { return (true, "ready") }
        let words = bad.prefix(20).map { "\($0.repository): \($0.state.rawValue)" }.joined(separator: ", ")
        return (true, "ready; " + words + (bad.count > 20 ? ", …" : ""))
    }
}
