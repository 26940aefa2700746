import Agent
import Synchronization
import Telemetry
import Webhooks

/// An agent of two repositories, that notes what it is asked, and does what a test says.
final class FakeAgent: AgentControl {
    typealias Cycle = @Sendable (CycleRequest, @Sendable (ProgressLine) -> Void) async throws(ControlError) -> Void

    private struct State {
        var asked: [String] = []
        var finished: [String] = []
        var cycle: Cycle = { (_, _) throws(ControlError) in }
        var failure: ControlError?
        var repositories = [RepositoryStatus(FakeAgent.shop, since: 100)]
        var builds: [BuildRecord] = []
        var log: [UInt8] = []
        var logReads = 0
        var overviews = 0
        var report: CycleReport?
        var cycles: [CycleEntry] = []
        var running: RunningWorkloads?
        var explain: @Sendable () async -> Void = {}
        var explanations: [Explanation] = []
        var image: ImageDetails?
    }

    private let state = Mutex(State())
    let journal = EventJournal(era: "era")

    func events() async -> EventJournal { journal }

    var asked: [String] { state.withLock(\.asked) }
    /// How often a log was asked for.
    var logReads: Int { state.withLock(\.logReads) }
    /// How often it was asked how it is.
    var overviews: Int { state.withLock(\.overviews) }
    /// The cycles that came to their end.
    var finished: [String] { state.withLock(\.finished) }

    func onExplain(_ body: @escaping @Sendable () async -> Void) { state.withLock { $0.explain = body } }
    func onCycle(_ body: @escaping Cycle) { state.withLock { $0.cycle = body } }
    func show(_ repositories: [RepositoryStatus]) { state.withLock { $0.repositories = repositories } }
    func show(_ builds: [BuildRecord], log: String) {
        state.withLock { ($0.builds, $0.log) = (builds, Array(log.utf8)) }
    }
    func show(_ running: RunningWorkloads?) { state.withLock { $0.running = running } }
    func show(cycles: [CycleEntry]) { state.withLock { $0.cycles = cycles } }
    func show(explanations: [Explanation]) { state.withLock { $0.explanations = explanations } }
    func show(_ image: ImageDetails) { state.withLock { $0.image = image } }
    func show(_ report: CycleReport) { state.withLock { $0.report = report } }
    func fail(with error: ControlError) { state.withLock { $0.failure = error } }

    private func note(_ text: String) throws(ControlError) {
        let failure = state.withLock { state in
            state.asked.append(text)
            return state.failure
        }
        if let failure { throw failure }
    }

    static let shop = AgentConfiguration.RepositoryConfiguration(
        name: "shop", url: "https://ann:pa55w0rd@git.example.com/acme/shop.git", branch: "main")

    var readiness: (isReady: Bool, text: String) { (true, "ready") }
    func metrics(as format: MetricsFormat) -> String { format == .prometheus ? "slipway_up 1\n" : "# EOF\n" }

    func watched() async -> [WatchedRepository] {
        var api = Self.shop
        api.name = "api/ä"
        return [WatchedRepository(Self.shop), WatchedRepository(api)]
    }

    func overview() async -> AgentOverview {
        state.withLock { $0.overviews += 1 }
        var overview = AgentOverview(
            repositories: state.withLock(\.repositories),
            queue: [AgentOverview.Build(repository: "shop", pipeline: "web", state: .running, since: 90)], failures: [])
        overview.startedAt = 1_700_000_000
        overview.queue[0].build = state.withLock { $0.builds.first { $0.state == .running }?.id.description }
        overview.isolation = "namespaces"
        return overview
    }

    func lastCycle(of repository: String) async throws(ControlError) -> CycleReport {
        try note("cycle \(repository)")
        return state.withLock(\.report) ?? CycleReport(repository: repository, url: "u", branch: "main")
    }

    func builds(of repository: String, limit: Int, olderThan older: BuildID?) async throws(ControlError)
        -> [BuildRecord]
    {
        try note("builds \(repository) \(limit) \(older?.description ?? "-")")
        return state.withLock(\.builds)
    }

    func cycles(of repository: String, limit: Int) async throws(ControlError) -> [CycleEntry] {
        Array(state.withLock(\.cycles).prefix(limit))
    }

    func build(_ id: BuildID) async throws(ControlError) -> BuildRecord {
        if let build = state.withLock({ $0.builds.first { $0.id == id } }) { return build }
        throw ControlError(.unknownBuild, "history has no build \(id)")
    }

    func log(of id: BuildID, from start: Int) async throws(ControlError) -> LogPart {
        let log = state.withLock { state in
            state.logReads += 1
            return state.log
        }
        if start <= log.count { return LogPart(text: Array(log[start...]), start: start, hasMore: false) }
        throw ControlError(.unknownBuild, "history has no build \(id)")
    }

    func explanations(
        of repository: String, _ subject: String?, trying trial: PolicyTrial?
    ) async throws(ControlError) -> [Explanation] {
        try note("explain \(repository) \(subject ?? "-") \(trial?.policy ?? "-") \(trial?.current ?? "-")")
        await state.withLock(\.explain)()
        return state.withLock(\.explanations)
    }

    func running() async -> RunningWorkloads? { state.withLock(\.running) }

    func image(_ text: String, of repository: String?) async throws(ControlError) -> ImageDetails {
        try note("image \(text) \(repository ?? "-")")
        if let image = state.withLock(\.image) { return image }
        throw ControlError(.notFound, "the agent knows of no image '\(text)'")
    }

    func run(
        _ request: CycleRequest, _ mode: CycleMode, say: @escaping @Sendable (ProgressLine) -> Void
    ) async throws(ControlError) -> [CycleReport] {
        let text = "\(mode) \(request.repositories.joined(separator: ","))"
        try note(text)
        try await state.withLock(\.cycle)(request, say)
        state.withLock { $0.finished.append(text) }
        return request.repositories.map { CycleReport(repository: $0, url: "u", branch: "main") }
    }

    func pause(_ repository: String, _ request: PauseRequest) async throws(ControlError) -> PauseAnswer {
        try note("pause \(repository) \(request.user ?? "-") \(request.message ?? "-")")
        return PauseAnswer(paused: RepositoryPause(since: 100), wasPaused: false)
    }

    func resume(_ repository: String) async throws(ControlError) -> PauseAnswer {
        try note("resume \(repository)")
        return PauseAnswer(paused: nil, wasPaused: true)
    }

    func stopBuild(_ id: BuildID) async throws(ControlError) -> StopAnswer {
        try note("stop \(id)")
        return StopAnswer(repository: "shop", pipeline: "web")
    }

    func retry(_ request: RetryRequest) async throws(ControlError) -> RetryAnswer {
        try note("retry \(request.repository) \(request.pipeline ?? "-")")
        return RetryAnswer(hadFailed: true)
    }

    func webhook(_ receiver: String, _ request: WebhookRequest) async -> WebhookAnswer {
        try? note("webhook \(receiver) \(request.pathSecret) \(request.method) \(request.body.count)")
        var answer = WebhookAnswer(receiver == "busy" ? 429 : 202, "noted", allow: "POST")
        if receiver == "busy" { answer.retryAfter = 2 }
        return answer
    }

    func edit(_ request: EditRequest) async throws(ControlError) -> EditAnswer {
        try note("edit \(request.repository) \(request.release?.image ?? "-") \(request.policies?.add ?? [:])")
        return EditAnswer(workloads: [], notes: ["a note"])
    }

    func workloads(of repository: String) async throws(ControlError) -> WorkloadListing {
        try note("workloads \(repository)")
        return WorkloadListing([])
    }

    func images(of repository: String, _ filter: WorkloadFilter) async throws(ControlError) -> ImageListing {
        try note("images \(repository) \(filter.workload ?? "-") \(filter.namespace ?? "-")")
        return ImageListing([])
    }
}
