import Diagnostics
import FileSystem
import Logging
import OCI
import Telemetry

/// Watches one repository: a cycle each interval and whenever something asks for one, one at a time.
actor RepositoryWatcher {
    private var repository: AgentConfiguration.RepositoryConfiguration
    private var fleet: any RepositoryFleet
    private let health: AgentHealth
    private let images: FollowedImages
    private let notifications: NotificationDesk
    private let tracing: AgentTracing
    private let clock: any AgentClock
    private let log: CycleLogger
    private let random: @Sendable () -> Double
    private var schedule: Schedule
    private var timer: Task<Void, Never>?
    /// When a build that failed is tried again; in seconds since 1970.
    private var retryAt: Int64?
    /// The cycle that was begun last; each waits for the one before.
    private var last: Task<CycleReport, Never>?
    /// Those who wait for a sync.
    private var sessions: [Int: SyncSession] = [:]
    private var lastSession = 0
    private var isStopped = false
    /// When the first webhook came that no cycle has begun for.
    private var hintedAt: ContinuousClock.Instant?
    /// The spans of webhooks and builds that no cycle has begun for.
    private var causes = SpanCauses()
    /// Whether a webhook began a cycle only just now, and whether another one came since.
    private var isCooling = false
    private var isHintDue = false

    init(
        _ repository: AgentConfiguration.RepositoryConfiguration, interval: Duration, fleet: any RepositoryFleet,
        health: AgentHealth, images: FollowedImages, notifications: NotificationDesk, tracing: AgentTracing,
        clock: any AgentClock, logger: Logger,
        random: @escaping @Sendable () -> Double
    ) {
        self.repository = repository
        self.fleet = fleet
        self.health = health
        self.images = images
        self.notifications = notifications
        self.tracing = tracing
        self.clock = clock
        self.random = random
        log = CycleLogger(logger, repository: repository.name)
        schedule = Schedule(interval: interval.seconds)
    }

    /// - Parameter isPaused: whether a person paused the repository before this process.
    func begin(isPaused: Bool) {
        if isPaused {
            schedule.pause()
            // Nothing is to be waited for.
            health.attempted(repository.name)
        }
        perform(schedule.begin())
    }

    /// No cycle begins until it resumes. The one that is under way goes on, and so do builds.
    func pause() {
        schedule.pause()
        timer?.cancel()
        health.update(repository.name) { $0.nextAttempt = nil }
    }

    func resume() { perform(schedule.resume()) }

    /// Something may have changed.
    func trigger() { perform(schedule.trigger()) }

    /// How long after a cycle that a webhook began the next one begins: whoever sends without an end makes no cycle without a pause.
    private static let cooling = Duration.milliseconds(500)

    /// A webhook says that something has changed. However many there are, one cycle is due.
    ///
    /// - Parameter cause: the webhook's span.
    func hint(at arrival: ContinuousClock.Instant, for cause: SpanContext? = nil) {
        guard !isStopped else { return }
        causes.add(cause)
        hintedAt = hintedAt ?? arrival
        guard !isCooling else {
            isHintDue = true
            return
        }
        beginHinted()
    }

    private func beginHinted() {
        isCooling = true
        let clock = clock
        Task {
            try? await clock.sleep(for: Self.cooling)
            self.cooled()
        }
        trigger()
    }

    private func cooled() {
        isCooling = false
        guard isHintDue, !isStopped else { return }
        isHintDue = false
        beginHinted()
    }

    /// Goes on by another configuration, with a cycle at once or right after the one that is under way.
    func adopt(
        _ repository: AgentConfiguration.RepositoryConfiguration, interval: Duration, fleet: any RepositoryFleet
    ) {
        self.repository = repository
        self.fleet = fleet
        // The wait that it would begin is over with the cycle that follows.
        _ = schedule.setInterval(interval.seconds, random: random())
        trigger()
    }

    /// One of the repository's builds has ended, and is rolled out.
    func ended(_ build: BuildEnd) {
        for session in sessions.values { session.take(build) }
        causes.add(build.trace)
        trigger()
    }

    /// Returns when the cycle that is under way has ended.
    func rest() async { _ = await last?.value }

    /// No cycle begins any more. The one that is under way goes on.
    func leave() {
        isStopped = true
        schedule.stop()
        timer?.cancel()
    }

    /// The same, and the cycle that is under way is cut short; returns when it has ended.
    func stop() async {
        leave()
        last?.cancel()
        _ = await last?.value
    }

    /// What a cycle would do, behind the one that is under way.
    func plan(say: @escaping @Sendable (ProgressLine) -> Void) async -> CycleReport {
        await begin(.plan, say: say).value
    }

    /// A cycle that somebody waits for, behind the one that is under way, and the builds that it begins; then another one, which
    /// rolls these out. While they are built, the repository's other cycles go on. What it does is logged as what any does.
    func sync(say: @escaping @Sendable (ProgressLine) -> Void) async -> CycleReport {
        let session = SyncSession(say)
        lastSession += 1
        let number = lastSession
        sessions[number] = session
        defer { sessions[number] = nil }
        let (log, dispatcher) = (log, fleet.builds.dispatcher)
        var awaited: Set<CycleReport.Pending> = []
        var mode = CycleMode.asked
        while true {
            let report = await begin(mode, for: session) { line in
                log.line(line)
                session.hear(line)
            }.value
            session.take(report)
            // Each build once: a branch that moves faster than it is built must not hold anybody for ever.
            let new = report.pending.filter { awaited.insert($0).inserted }
            guard !new.isEmpty else {
                // An image has its names a moment before its build has ended: one that the cycle found done is still to be told.
                let pending = report.pending.map { PipelineKey(repository: repository.name, pipeline: $0.pipeline) }
                await dispatcher.wait(forBuildsOf: repository.name, besides: Set(pending))
                return session.report ?? report
            }
            await dispatcher.wait(for: new.map { PipelineKey(repository: repository.name, pipeline: $0.pipeline) })
            mode = .followUp
        }
    }

    // MARK: Schedule

    private func perform(_ action: Schedule.Action) {
        switch action {
        case .nothing: break
        case .cycle:
            timer?.cancel()
            health.update(repository.name) { $0.nextAttempt = nil }
            let cycle = begin(.background, say: log.line)
            Task { self.ended(await cycle.value) }
        case .wait(let seconds, let number):
            let (clock, now) = (clock, clock.now)
            let look = now + Int64(seconds.rounded(.up))
            // A build that waits for its next attempt does not wait for the next look, unless the repository is away.
            let retry = schedule.failures == 0 ? retryAt.map { max($0, now + 1) } : nil
            let (next, wait) =
                if let retry, retry < look { (retry, Double(retry - now)) } else { (look, seconds) }
            health.update(repository.name) { [interval = schedule.interval] status in
                (status.nextAttempt, status.interval) = (next, Int64(interval))
            }
            timer?.cancel()
            timer = Task {
                do { try await clock.sleep(for: .seconds(wait)) } catch { return }
                self.due(number)
            }
        }
    }

    private func due(_ number: Int) { perform(schedule.due(number)) }

    private func ended(_ report: CycleReport) {
        retryAt = report.failures.compactMap(\.nextAt).min()
        perform(schedule.ended(Self.outcome(of: report), random: random()))
    }

    /// A repository that cannot be read, or written to, is asked ever less often. What else fails has its own next attempt,
    /// and holds up nothing.
    private static func outcome(of report: CycleReport) -> Schedule.Outcome {
        let isAway = report.failures.contains {
            $0.disposition == .retry && [.sync, .commit, .publish].contains($0.phase)
        }
        if isAway { return .failed }
        return report.failures.isEmpty ? .succeeded : .stalled
    }

    // MARK: Cycles

    /// - Parameter session: whose cycle it is.
    private func begin(
        _ mode: CycleMode, for session: SyncSession? = nil, say: @escaping @Sendable (ProgressLine) -> Void
    ) -> Task<CycleReport, Never> {
        let before = last
        let task = Task {
            await withTaskCancellationHandler {
                _ = await before?.value
            } onCancel: {
                before?.cancel()
            }
            return await run(mode, for: session, say: say)
        }
        last = task
        return task
    }

    private func run(
        _ mode: CycleMode, for session: SyncSession?, say: @escaping @Sendable (ProgressLine) -> Void
    ) async -> CycleReport {
        guard !isStopped else {
            return failed(AgentError("the agent is stopping, or does not watch the repository any more"))
        }
        let start = ContinuousClock.now
        let hinted = mode == .plan ? nil : hintedAt
        if mode != .plan { hintedAt = nil }
        let trace = tracing.cycle(repository, mode, because: mode == .plan ? [] : causes.take())
        let (repository, fleet) = (repository, fleet)
        let audience = mode == .plan ? [] : sessions.values.filter { $0 !== session }
        let report: CycleReport
        do {
            let reconciler = try await fleet.reconciler(for: repository)
            report = await CycleSpan.run(in: trace) {
                await reconciler.cycle(mode) { line in
                    say(line)
                    for other in audience { other.overhear(line) }
                }
            }
            if let followed = reconciler.followed.images, !isStopped {
                images.set(followed, of: repository.name)
                health.metrics.record(reconciler.followed.ages, count: followed.count, of: repository.name)
            }
        } catch {
            report = failed(error)
        }
        trace?.end(report)
        // What was cut off tells nothing of the repository.
        guard mode != .plan, !Task.isCancelled else { return report }
        let (now, seconds) = (clock.now, (ContinuousClock.now - start).seconds)
        log.ended(report)
        for other in audience { other.take(report) }
        let before = health.status(of: repository.name)
        let lastSuccess = before?.lastSuccess
        health.record(report, of: repository.name, at: now)
        if let events = fleet.builds.history?.events {
            for event in CycleEvents(report, known: before?.failures ?? [], at: now).all(
                state: health.status(of: repository.name)?.state)
            { events.append(event) }
        }
        if !isStopped { notifications.cycleEnded(report) }
        health.attempted(repository.name)
        if let hinted { health.metrics.recordHinted(seconds: (ContinuousClock.now - hinted).seconds) }
        if !isStopped { health.metrics.record(report, seconds: seconds, now: Double(now)) }
        await fleet.builds.history?.record(
            CycleEntry(report, at: now, seconds: seconds, lastSuccess: lastSuccess), of: repository.name)
        health.metrics.record(await fleet.tidy(now: now))
        return report
    }

    private func failed(_ error: AgentError) -> CycleReport {
        var report = CycleReport(
            repository: repository.name, url: ShownURL.text(repository.url), branch: repository.branch)
        report.fail(ReconcileError(error, in: .sync))
        return report
    }
}
