import OCI
import Synchronization
import Text

/// What is told of the running agent: whether it is ready, and how each repository is doing. Written by the loop, read by
/// requests.
package final class AgentHealth: Sendable {
    private struct State {
        var waiting: Set<String>?
        var repositories: [String: RepositoryStatus] = [:]
        /// Of the last cycles.
        var reports: [String: CycleReport] = [:]
        /// What failed in the process before this one and since when, until a cycle says whether it still does.
        var failing: [String: [String: Int64]] = [:]
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
            for name in gone {
                state.repositories[name] = nil
                state.reports[name] = nil
                state.failing[name] = nil
            }
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

    /// A cycle ended.
    func record(_ report: CycleReport, of repository: String, at now: Int64) {
        let failing = state.withLock { state -> [String: Int64]? in
            guard state.repositories[repository] != nil else { return nil }
            state.reports[repository] = report
            return state.failing.removeValue(forKey: repository)
        }
        update(repository) { status in
            status.record(report, at: now)
            status.recall(failing ?? [:])
        }
    }

    /// What history knows of a repository, from before this process.
    func restore(_ past: RepositoryPast, of repository: String) {
        let isFirst = state.withLock { state -> Bool in
            guard state.repositories[repository] != nil, state.reports[repository] == nil else { return false }
            state.failing[repository] = past.failing
            return true
        }
        update(repository) { status in
            status.restore(past)
            if !isFirst { status.recall(past.failing) }
        }
        if let last = status(of: repository)?.lastSuccess { metrics.succeeded(repository, at: Double(last)) }
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

    /// What the last cycle of a repository did and decided.
    package func report(of repository: String) -> CycleReport? { state.withLock { $0.reports[repository] } }

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
        let words = bad.prefix(20).map { status in
            "\(status.repository): \(status.state.rawValue) since "
                + UTCDate(secondsSince1970: status.failingSince ?? status.since).rfc3339
        }
        return (true, "ready; " + words.joined(separator: ", ") + (bad.count > 20 ? ", …" : ""))
    }
}
