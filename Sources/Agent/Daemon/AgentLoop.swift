import Diagnostics
import FileSystem
package import Logging
import OCI

/// The daemon: every repository on its own interval, a status server beside them, until it is told to stop.
package struct AgentLoop: Sendable {
    private let configuration: AgentConfiguration
    private let fleet: Fleet
    private let health: AgentHealth
    private let logger: Logger
    private let clock: any AgentClock

    package init(
        configuration: AgentConfiguration, fleet: Fleet, health: AgentHealth, logger: Logger,
        clock: any AgentClock = SystemClock()
    ) {
        self.configuration = configuration
        self.fleet = fleet
        self.health = health
        self.logger = logger
        self.clock = clock
    }

    /// Runs until the task is cancelled; a cycle that is under way then ends first.
    package func run() async {
        let progress = Progress(repositories: configuration.repositories.map(\.name), health: health)
        await withTaskGroup(of: Void.self) { group in
            for repository in configuration.repositories {
                group.addTask { await watch(repository, progress) }
            }
        }
    }

    private func watch(
        _ repository: AgentConfiguration.RepositoryConfiguration, _ progress: Progress
    ) async {
        let interval = repository.interval ?? configuration.interval
        while !Task.isCancelled {
            // A cycle is never cut off half-way: it runs in a task of its own that cancellation does not reach.
            let report = await Task { await cycle(repository) }.value
            await progress.ended(report)
            await fleet.tidy(now: clock.now)
            do {
                // Spread, so that many agents and repositories do not ask at the same moment.
                try await clock.sleep(for: interval * Double.random(in: 0.9...1.1))
            } catch {
                return
            }
        }
    }

    private func cycle(_ repository: AgentConfiguration.RepositoryConfiguration) async -> CycleReport {
        var logger = logger
        logger[metadataKey: "repository"] = "\(repository.name)"
        let log = logger
        let start = ContinuousClock.now
        let report: CycleReport
        do {
            report = try await fleet.reconciler(for: repository).cycle { log.info("\($0)") }
        } catch {
            var failed = CycleReport(repository: repository.name, url: repository.name, branch: repository.branch)
            failed.fail(ReconcileError(phase: .sync, underlying: error))
            report = failed
        }
        for failure in report.failures {
            logger.error(
                "\(failure.message)",
                metadata: ["phase": "\(failure.phase.rawValue)", "hint": "\(failure.hint ?? "")"])
        }
        health.metrics.record(
            report, seconds: (ContinuousClock.now - start).seconds, now: Double(clock.now))
        if let json = try? CanonicalJSON.encode(report) {
            health.set(report: String(decoding: json, as: UTF8.self), repository: repository.name)
            // For `cat` and for a restarted agent's status page; nothing is decided by it.
            try? AtomicFile.write(json, to: "\(configuration.stateDirectory)/status-\(repository.name).json")
        }
        return report
    }

    /// Ready once each repository could be read.
    private actor Progress {
        private var waiting: Set<String>
        private let health: AgentHealth

        init(repositories: [String], health: AgentHealth) {
            waiting = Set(repositories)
            self.health = health
        }

        func ended(_ report: CycleReport) {
            if report.revision != nil { waiting.remove(report.repository) }
            let names = waiting.sorted().joined(separator: ", ")
            health.set(ready: waiting.isEmpty, problem: "not yet read: \(names)")
        }
    }
}
