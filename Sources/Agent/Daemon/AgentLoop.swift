import FileSystem
package import Logging
import OCI

/// The daemon: every repository on its own interval, builds beside them, until it is told to stop.
package actor AgentLoop {
    private var configuration: AgentConfiguration
    private var fleet: any RepositoryFleet
    private let health: AgentHealth
    private let logger: Logger
    private let clock: any AgentClock
    private let random: @Sendable () -> Double
    private var watchers: [String: RepositoryWatcher] = [:]
    /// Ends what ``patience`` waits for.
    private var impatience: Task<Void, Never>?
    private var isStopping = false

    package init(
        configuration: AgentConfiguration, fleet: any RepositoryFleet, health: AgentHealth, logger: Logger,
        clock: any AgentClock = SystemClock(),
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
    ) {
        self.configuration = configuration
        self.fleet = fleet
        self.health = health
        self.logger = logger
        self.clock = clock
        self.random = random
    }

    /// How long the first look at a repository may hold up that the agent is ready.
    private static let patience = Duration.seconds(60)

    /// Begins to watch all repositories.
    package func begin() async {
        let now = clock.now
        health.expect(configuration.repositories.map { RepositoryStatus($0, since: now) })
        await fleet.builds.dispatcher.whenBuildEnds { [weak self] end in await self?.ended(end) }
        let (clock, health, names) = (clock, health, configuration.repositories.map(\.name))
        impatience = Task {
            do { try await clock.sleep(for: Self.patience) } catch { return }
            for name in names { health.attempted(name) }
        }
        for repository in configuration.repositories { await watch(repository) }
    }

    /// A build ended: it is told of, and rolled out.
    private func ended(_ build: BuildEnd) async {
        health.record(build)
        await trigger(build.key.repository)
    }

    private func watch(_ repository: AgentConfiguration.RepositoryConfiguration) async {
        guard !isStopping else { return }
        let watcher = RepositoryWatcher(
            repository, interval: interval(of: repository), fleet: fleet, health: health,
            clock: clock, logger: logger, random: random)
        watchers[repository.name] = watcher
        await watcher.begin()
    }

    private func interval(of repository: AgentConfiguration.RepositoryConfiguration) -> Duration {
        repository.interval ?? configuration.interval
    }

    /// How long steps may take to end.
    private static let grace = Duration.seconds(8)

    /// Ends: idle waits at once, running builds by cancelling them. What was cut off is done by the next process.
    package func stop() async {
        guard !isStopping else { return }
        isStopping = true
        impatience?.cancel()
        let (watchers, dispatcher, clock) = (Array(watchers.values), fleet.builds.dispatcher, clock)
        let (ended, end) = AsyncStream.makeStream(of: Void.self)
        Task {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await dispatcher.close() }
                for watcher in watchers { group.addTask { await watcher.stop() } }
            }
            end.finish()
        }
        let limit = Task {
            do { try await clock.sleep(for: Self.grace) } catch { return }
            end.finish()
        }
        // Whoever is not done by then is ended with the process: a task group would wait for it nevertheless.
        for await _ in ended {}
        limit.cancel()
    }

    // MARK: Reload

    /// Takes another configuration: every repository is looked at by it at once, or right after the cycle that is under way.
    /// Entries that are gone are looked at no more. Builds that are under way go on.
    ///
    /// - Returns: what the new configuration says and only a restart brings about.
    /// - Throws: when the new configuration cannot be used; then all stays as it was.
    package func reload(
        _ new: AgentConfiguration, say: @escaping @Sendable (String) -> Void
    ) async throws(AgentError) -> [String] {
        guard !isStopping else { throw AgentError("the agent is stopping") }
        var new = new
        var notes: [String] = []
        if new.stateDirectory != configuration.stateDirectory {
            notes.append("stateDirectory stays \(configuration.stateDirectory) until the agent is restarted")
            new.stateDirectory = configuration.stateDirectory
        }
        if new.listen != configuration.listen {
            notes.append("listen stays \(configuration.listen ?? "off") until the agent is restarted")
        }
        fleet = try await fleet.reloaded(new, say: say)
        configuration = new
        let now = clock.now
        health.expect(new.repositories.map { RepositoryStatus($0, since: now) })
        let names = Set(new.repositories.map(\.name))
        let gone = watchers.filter { !names.contains($0.key) }
        for (name, watcher) in gone {
            watchers[name] = nil
            await watcher.leave()
        }
        for repository in new.repositories {
            if let watcher = watchers[repository.name] {
                await watcher.adopt(repository, interval: interval(of: repository), fleet: fleet)
            } else {
                await watch(repository)
            }
        }
        health.metrics.add("slipway_reloads_total", 1, [("result", "success")])
        return notes
    }

    /// A configuration could not be read.
    package func reloadFailed() { health.metrics.add("slipway_reloads_total", 1, [("result", "failure")]) }

    // MARK: Requests

    /// Something may have changed in a repository.
    package func trigger(_ name: String) async { await watchers[name]?.trigger() }

    /// Runs a cycle that waits for its builds, or one that does nothing, for the repositories named; none: for all.
    ///
    /// - Throws: when there is no such repository.
    package func cycle(
        _ names: [String], _ mode: CycleMode, say: @escaping @Sendable (ProgressLine) -> Void
    ) async throws(AgentError) -> [CycleReport] {
        var reports: [CycleReport] = []
        for name in names.isEmpty ? configuration.repositories.map(\.name) : names {
            reports.append(await (try watcher(name)).cycle(mode, say: say))
        }
        return reports
    }

    /// Lets what failed be tried again at once.
    ///
    /// - Parameter pipeline: `nil`: all of the repository's.
    /// - Returns: whether anything had failed.
    package func retry(_ name: String, pipeline: String?) async throws(AgentError) -> Bool {
        let watcher = try watcher(name)
        let isKnown = await fleet.builds.failures.forget(repository: name, pipeline: pipeline)
        await watcher.trigger()
        return isKnown
    }

    /// Edits manifests by the mirror that is open.
    package func editor(for name: String) async throws(AgentError) -> RepositoryEditor {
        guard let repository = configuration.repositories.first(where: { $0.name == name }) else {
            throw unknown(name)
        }
        return RepositoryEditor(repository, git: try await fleet.reconciler(for: repository).services.git)
    }

    /// Where images are looked up for a release.
    package nonisolated func status() -> [RepositoryStatus] { health.statuses }

    private func watcher(_ name: String) throws(AgentError) -> RepositoryWatcher {
        guard let watcher = watchers[name] else { throw unknown(name) }
        return watcher
    }

    private func unknown(_ name: String) -> AgentError {
        let names = configuration.repositories.map(\.name).sorted()
        let shown = names.prefix(20).joined(separator: ", ") + (names.count > 20 ? ", …" : "")
        return AgentError("the agent watches no repository '\(name)'", hint: "it watches \(shown)")
    }
}
