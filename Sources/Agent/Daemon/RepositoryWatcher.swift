import Diagnostics
import FileSystem
import Logging
import OCI

/// Watches one repository: a cycle each interval and whenever something asks for one, one at a time.
actor RepositoryWatcher {
    private let repository: AgentConfiguration.RepositoryConfiguration
    private let fleet: Fleet
    private let health: AgentHealth
    private let clock: any AgentClock
    private let log: CycleLogger
    private let random: @Sendable () -> Double
    private var schedule: Schedule
    private var timer: Task<Void, Never>?
    /// For a build that is tried again before the next look.
    private var retry: Task<Void, Never>?
    /// The cycle that was begun last; each waits for the one before.
    private var last: Task<CycleReport, Never>?

    init(
        _ repository: AgentConfiguration.RepositoryConfiguration, interval: Duration, fleet: Fleet, health: AgentHealth,
        clock: any AgentClock, logger: Logger, random: @escaping @Sendable () -> Double
    ) {
        self.repository = repository
        self.fleet = fleet
        self.health = health
        self.clock = clock
        self.random = random
        log = CycleLogger(logger, repository: repository.name)
        schedule = Schedule(interval: interval.seconds)
    }

    func begin() { perform(schedule.begin()) }

    /// Something may have changed.
    func trigger() { perform(schedule.trigger()) }

    /// No cycle begins any more; returns when the one that is under way has ended.
    func stop() async {
        schedule.stop()
        timer?.cancel()
        retry?.cancel()
        _ = await last?.value
    }

    /// A cycle that somebody waits for, behind the one that is under way.
    func cycle(_ mode: CycleMode, say: @escaping @Sendable (ProgressLine) -> Void) async -> CycleReport {
        await begin(mode, say: say).value
    }

    // MARK: Schedule

    private func perform(_ action: Schedule.Action) {
        switch action {
        case .nothing: break
        case .cycle:
            timer?.cancel()
            retry?.cancel()
            health.update(repository.name) { $0.nextAttempt = nil }
            let cycle = begin(.background, say: log.line)
            Task { self.ended(await cycle.value) }
        case .wait(let seconds, let number):
            let (clock, next) = (clock, clock.now + Int64(seconds.rounded()))
            health.update(repository.name) { $0.nextAttempt = next }
            timer?.cancel()
            timer = Task {
                do { try await clock.sleep(for: .seconds(seconds)) } catch { return }
                self.due(number)
            }
        }
    }

    private func due(_ number: Int) { perform(schedule.due(number)) }

    private func ended(_ report: CycleReport) {
        perform(schedule.ended(Self.outcome(of: report), random: random()))
        // A build that waits for its next attempt does not wait for the next look.
        guard let next = report.failures.compactMap(\.nextAt).min(), schedule.failures == 0 else { return }
        let (clock, wait) = (clock, max(1, next - clock.now))
        retry?.cancel()
        retry = Task {
            do { try await clock.sleep(for: .seconds(wait)) } catch { return }
            self.trigger()
        }
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

    private func begin(
        _ mode: CycleMode, say: @escaping @Sendable (ProgressLine) -> Void
    ) -> Task<CycleReport, Never> {
        let before = last
        let task = Task {
            _ = await before?.value
            return await run(mode, say: say)
        }
        last = task
        return task
    }

    private func run(_ mode: CycleMode, say: @escaping @Sendable (ProgressLine) -> Void) async -> CycleReport {
        let start = ContinuousClock.now
        let report: CycleReport
        do {
            report = await (try await fleet.reconciler(for: repository)).cycle(mode, say: say)
        } catch {
            var failed = CycleReport(
                repository: repository.name, url: ShownURL.text(repository.url), branch: repository.branch)
            failed.fail(ReconcileError(error, in: .sync))
            report = failed
        }
        guard mode != .plan else { return report }
        let (now, seconds) = (clock.now, (ContinuousClock.now - start).seconds)
        log.ended(report)
        health.update(repository.name) { $0.record(report, at: now) }
        health.attempted(repository.name)
        health.metrics.record(report, seconds: seconds, now: Double(now))
        await fleet.builds.history?.record(CycleEntry(report, at: now, seconds: seconds), of: repository.name)
        await fleet.tidy(now: now)
        return report
    }
}
