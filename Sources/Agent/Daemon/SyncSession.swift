import Synchronization

/// What somebody is told who asked for a sync and waits for it: the cycles that were begun for that, the builds that these began,
/// and what the repository's other cycles do meanwhile, because these may be the ones that roll an image out.
final class SyncSession: Sendable {
    private struct State {
        /// In their order.
        var reports: [CycleReport] = []
        var builds: [BuildEnd] = []
        /// Lines that were said.
        var said: Set<String> = []
    }

    private let state = Mutex(State())
    private let say: @Sendable (ProgressLine) -> Void

    init(_ say: @escaping @Sendable (ProgressLine) -> Void) { self.say = say }

    /// A line of a cycle of its own. What the cycle before it has said already is not said again.
    func hear(_ line: ProgressLine) {
        guard !line.isOfBuild else { return say(line) }
        let isNew = state.withLock { $0.said.insert(line.text).inserted }
        if isNew || line.isEvent { say(line) }
    }

    /// A line of another cycle of the repository.
    func overhear(_ line: ProgressLine) { if line.isEvent, !line.isOfBuild { say(line) } }

    /// A cycle has ended, begun for this or by another.
    func take(_ report: CycleReport) { state.withLock { $0.reports.append(report) } }

    /// A build of the repository has ended.
    func take(_ build: BuildEnd) { state.withLock { $0.builds.append(build) } }

    /// All of it as one report: what the last cycle found, and what was done until then; `nil` before a cycle has ended.
    var report: CycleReport? {
        let (reports, builds) = state.withLock { ($0.reports, $0.builds) }
        guard var all = reports.last else { return nil }
        let earlier = reports.dropLast()
        let done = earlier.filter { !$0.commits.isEmpty }
        all.revision = reports.compactMap(\.revision).first
        all.commits = earlier.flatMap(\.commits) + all.commits
        all.updates = done.flatMap(\.updates) + all.updates
        all.diff = Self.joined(done.map(\.diff) + [all.diff])
        all.commit = all.commits.last?.commit
        all.message = all.message ?? done.last?.message
        for request in earlier.flatMap(\.pullRequests)
        where !all.pullRequests.contains(where: { $0.number == request.number }) { all.pullRequests.append(request) }

        all.steps = reports.flatMap(\.steps) + builds.flatMap(\.steps)
        all.images = earlier.flatMap(\.images) + builds.compactMap { try? $0.result.get() } + all.images
        let last = all.failures
        all.failures = []
        for build in builds { if case .failure(let error) = build.result { all.fail(error) } }
        // The build's own words, not those that are remembered of it.
        all.failures += last.filter { known in !all.failures.contains { $0.message == known.message } }
        return all
    }

    private static func joined(_ diffs: [String?]) -> String? {
        let there = diffs.compactMap(\.self)
        return there.isEmpty ? nil : there.joined()
    }
}
