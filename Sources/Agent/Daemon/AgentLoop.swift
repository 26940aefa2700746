import FileSystem
package import Logging
import OCI
import RegistryPoller
package import Telemetry

/// The daemon: every repository on its own interval, builds beside them, until it is told to stop.
package actor AgentLoop {
    private var configuration: AgentConfiguration
    private(set) var fleet: any RepositoryFleet
    private let health: AgentHealth
    private let logger: Logger
    private let clock: any AgentClock
    private let startedAt: Int64
    private let random: @Sendable () -> Double
    private let pauses: PauseMemory
    /// Where nothing is kept of what builds do, nothing is told of it.
    private let silence = EventJournal()
    nonisolated let webhooks: WebhookDesk
    private let explanations = ExplanationShelf()
    private let clusterView = ClusterView()
    private let notifications: NotificationDesk
    nonisolated let tracing: AgentTracing
    private(set) var watchers: [String: RepositoryWatcher] = [:]
    /// Ends what ``patience`` waits for.
    private var impatience: Task<Void, Never>?
    private var isStopping = false

    /// - Parameter receivers: of the configuration's webhooks.
    package init(
        configuration: AgentConfiguration, fleet: any RepositoryFleet, health: AgentHealth, logger: Logger,
        pauses: PauseMemory? = nil, receivers: WebhookReceivers = .none, notifications: NotificationDesk? = nil,
        tracing: AgentTracing = .off,
        clock: any AgentClock = SystemClock(),
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
    ) {
        self.configuration = configuration
        self.fleet = fleet
        self.health = health
        self.logger = logger
        self.clock = clock
        startedAt = clock.now
        self.tracing = tracing
        self.random = random
        self.pauses = pauses ?? PauseMemory(directory: configuration.stateDirectory)
        self.notifications =
            notifications
            ?? NotificationDesk(
                .init(
                    directory: configuration.stateDirectory, history: fleet.builds.history, metrics: health.metrics,
                    logger: logger, clock: clock, random: random))
        webhooks = WebhookDesk(clock: clock, metrics: health.metrics, logger: logger)
        webhooks.adopt(receivers, configuration.repositories)
    }

    /// How long the first look at a repository may hold up that the agent is ready.
    private static let patience = Duration.seconds(60)

    /// Begins to watch all repositories.
    package func begin() async {
        let now = clock.now
        notifications.adopt(configuration)
        health.expect(configuration.repositories.map { RepositoryStatus($0, since: now) })
        await fleet.builds.dispatcher.whenBuildEnds { [weak self] end in await self?.ended(end) }
        await fleet.builds.queue.observe { [metrics = health.metrics] in metrics.record($0) }
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
        notifications.buildEnded(build)
        if case .success(var image) = build.result {
            image.layers = []
            var event = AgentEvent(.pushed, of: build.key.repository, at: clock.now)
            event.pipeline = build.key.pipeline
            event.image = image
            events().append(event)
        }
        await watchers[build.key.repository]?.ended(build)
    }

    private func watch(_ repository: AgentConfiguration.RepositoryConfiguration) async {
        guard !isStopping else { return }
        let watcher = RepositoryWatcher(
            repository, interval: interval(of: repository), fleet: fleet, health: health, images: webhooks.images,
            notifications: notifications, tracing: tracing, clock: clock, logger: logger, random: random)
        watchers[repository.name] = watcher
        // What the processes before this one did, before this one adds to it.
        if let history = fleet.builds.history {
            health.restore(await history.past(of: repository.name), of: repository.name)
            guard !isStopping, watchers[repository.name] === watcher else { return }
        }
        let pause = await pauses.pause(of: repository.name)
        guard !isStopping, watchers[repository.name] === watcher else { return }
        health.update(repository.name) { $0.paused = pause }
        await watcher.begin(isPaused: pause != nil)
    }

    private func interval(of repository: AgentConfiguration.RepositoryConfiguration) -> Duration {
        repository.interval ?? configuration.interval
    }

    /// How long steps may take to end.
    private static let grace = Duration.seconds(8)

    package func stop() async { _ = await end() }

    /// Ends: idle waits at once, running builds by cancelling them. What was cut off is done by the next process.
    ///
    /// - Returns: whether all has ended, so that nothing is written any more.
    package func end() async -> Bool {
        guard !isStopping else { return false }
        isStopping = true
        webhooks.stop()
        impatience?.cancel()
        let (watchers, dispatcher, clock) = (Array(watchers.values), fleet.builds.dispatcher, clock)
        let (ended, end) = AsyncStream.makeStream(of: Bool.self)
        Task {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await dispatcher.close() }
                for watcher in watchers { group.addTask { await watcher.stop() } }
            }
            end.yield(true)
            end.finish()
        }
        let limit = Task {
            do { try await clock.sleep(for: Self.grace) } catch { return }
            end.finish()
        }
        // Whoever is not done by then is ended with the process: a task group would wait for it nevertheless.
        var isQuiet = false
        for await isAll in ended { isQuiet = isAll }
        limit.cancel()
        await notifications.stop()
        return isQuiet
    }

    // MARK: Reload

    /// Takes another configuration: every repository is looked at by it at once, or right after the cycle that is under way.
    /// Entries that are gone are looked at no more, and their builds are cancelled. The other builds go on.
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
        if new.webhooks?.listen != configuration.webhooks?.listen {
            notes.append(
                "webhooks.listen stays \(configuration.webhooks?.listen ?? "off") until the agent is restarted")
        }
        let receivers = try await WebhookReceivers.load(new.webhooks)
        fleet = try await fleet.reloaded(new, say: say)
        webhooks.adopt(receivers, new.repositories)
        configuration = new
        notifications.adopt(new)
        let now = clock.now
        health.expect(new.repositories.map { RepositoryStatus($0, since: now) })
        let names = Set(new.repositories.map(\.name))
        let gone = watchers.filter { !names.contains($0.key) }
        for (name, watcher) in gone {
            watchers[name] = nil
            await watcher.leave()
            await cancelBuilds(of: name)
            // The cycle that was under way may begin builds until it ends.
            Task {
                await watcher.rest()
                await cancelBuilds(of: name)
            }
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

    /// Nobody would roll out what the builds of an entry that is gone make.
    private func cancelBuilds(of name: String) async {
        guard watchers[name] == nil else { return }
        for build in await fleet.builds.dispatcher.cancel(repository: name) {
            logger.notice(
                "build cancelled: the configuration has its repository no more",
                metadata: ["repository": "\(name)", "pipeline": "\(build.pipeline)"])
        }
    }

    /// A configuration could not be read.
    package func reloadFailed() { health.metrics.add("slipway_reloads_total", 1, [("result", "failure")]) }

    // MARK: Requests

    /// Something may have changed in a repository.
    package func trigger(_ name: String) async { await watchers[name]?.trigger() }

    /// Writes down who is asked for what.
    private func note(_ verb: String, _ repositories: [String]) {
        logger.info(
            "asked for", metadata: ["request": "\(verb)", "repository": "\(repositories.joined(separator: " "))"])
    }

    /// What is known of images and policies.
    var knowledge: AgentKnowledge {
        AgentKnowledge(
            repositories: configuration.repositories, fleet: fleet, health: health, shelf: explanations,
            cluster: configuration.observedCluster, view: clusterView)
    }

    func repository(
        _ name: String
    ) throws(ControlError) -> AgentConfiguration.RepositoryConfiguration {
        guard let repository = configuration.repositories.first(where: { $0.name == name }) else {
            throw ControlError.unknown(name, among: configuration.repositories.map(\.name))
        }
        return repository
    }

    private func watcher(_ name: String) throws(ControlError) -> RepositoryWatcher {
        _ = try repository(name)
        guard !isStopping, let watcher = watchers[name] else {
            throw ControlError(
                .unavailable, "the agent is \(isStopping ? "leaving" : "taking up another configuration")",
                hint: "try again in a moment")
        }
        return watcher
    }

    private func manifests(of name: String) async throws(ControlError) -> RepositoryWorkloads {
        _ = try watcher(name)
        let repository = try repository(name)
        let fleet = fleet
        let reconciler = try await controlled { try await fleet.reconciler(for: repository) }
        return RepositoryWorkloads(
            editor: RepositoryEditor(repository, git: reconciler.services.git),
            poller: RegistryPoller(registry: fleet.registry))
    }

    func history() throws(ControlError) -> HistoryStore {
        guard let history = fleet.builds.history else {
            throw ControlError(.unknownBuild, "this agent keeps no history")
        }
        return history
    }
}

extension AgentLoop: AgentControl {
    package nonisolated var readiness: (isReady: Bool, text: String) { health.readiness }
    package nonisolated func metrics(as format: MetricsFormat) -> String { health.metrics.text(as: format) }

    package func events() -> EventJournal { fleet.builds.history?.events ?? silence }

    package func watched() -> [WatchedRepository] { configuration.repositories.map(WatchedRepository.init) }

    package func overview() async -> AgentOverview {
        let builds = fleet.builds
        let open = await builds.history?.open() ?? [:]
        let queue = await builds.queue.state.map { AgentOverview.Build($0, id: open[$0.pipeline]) }
        let watched = Set(configuration.repositories.map(\.name))
        let failures = await builds.failures.all.filter { watched.contains($0.key.repository) }
        var overview = AgentOverview(repositories: health.statuses, queue: queue, failures: failures)
        overview.startedAt = startedAt
        overview.isolation = await builds.builder.isolation()
        return overview
    }

    package func lastCycle(of repository: String) async throws(ControlError) -> CycleReport {
        let name = try self.repository(repository).name
        guard let report = health.report(of: name) else {
            throw ControlError(
                .unavailable, "no cycle of '\(name)' has ended yet", hint: "try again in a moment")
        }
        return report
    }

    package func builds(
        of repository: String, limit: Int, olderThan older: BuildID?
    ) async throws(ControlError) -> [BuildRecord] {
        let name = try self.repository(repository).name
        return await (try history()).builds(of: name, limit: limit, before: older)
    }

    package func build(_ id: BuildID) async throws(ControlError) -> BuildRecord {
        guard let record = await (try history()).build(id) else { throw Self.unknown(id) }
        return record
    }

    package func log(of id: BuildID, from start: Int) async throws(ControlError) -> LogPart {
        guard let part = await (try history()).log(id, from: start) else { throw Self.unknown(id) }
        return part
    }

    private static func unknown(_ id: BuildID) -> ControlError {
        ControlError(
            .unknownBuild, "history has no build \(id)", hint: "'slipway builds' lists those that it has")
    }

    package func run(
        _ request: CycleRequest, _ mode: CycleMode, say: @escaping @Sendable (ProgressLine) -> Void
    ) async throws(ControlError) -> [CycleReport] {
        let names = request.repositories.isEmpty ? configuration.repositories.map(\.name) : request.repositories
        // All or none: a name that is wrong is told before anything is done.
        for name in names { _ = try watcher(name) }
        if mode != .plan { for name in request.repositories { try checkNotPaused(name) } }
        note(mode == .plan ? "plan" : "sync", names)
        var reports: [CycleReport] = []
        for name in names {
            let watcher = try watcher(name)
            if mode != .plan, health.status(of: name)?.paused != nil {
                say(ProgressLine("\(name) is paused and passed over"))
                continue
            }
            if mode == .plan {
                reports.append(await watcher.plan(say: say))
            } else {
                await tellBuilds(of: name, say)
                reports.append(await watcher.sync(say: say))
            }
        }
        return reports
    }

    /// A sync waits for builds that another cycle began, too, and these tell nothing here.
    private func tellBuilds(of repository: String, _ say: @Sendable (ProgressLine) -> Void) async {
        let builds = await fleet.builds.history?.builds(of: repository, limit: 50) ?? []
        for build in builds where !build.state.isOver {
            say(
                ProgressLine(
                    "The build of \(build.description.pipeline.pipeline) is under way: 'slipway logs -f \(build.id)' shows it"
                ))
        }
    }

    private func checkNotPaused(_ name: String) throws(ControlError) {
        guard let pause = health.status(of: name)?.paused else { return }
        throw ControlError(
            .paused, "'\(name)' is paused" + (pause.user.map { " by \($0)" } ?? ""), cause: pause.message,
            hint: "'slipway resume \(name)' switches it on again")
    }

    package func pause(_ name: String, _ request: PauseRequest) async throws(ControlError) -> PauseAnswer {
        _ = try watcher(name)
        note("pause", [name])
        let pause = RepositoryPause(
            since: clock.now, user: request.user.map { BoundedText.ends(of: $0, limit: 200) },
            message: request.message.map { BoundedText.ends(of: $0, limit: 1_000) })
        let pauses = pauses
        let before = try await controlled { try await pauses.set(pause, of: name) }
        health.update(name) { $0.paused = pause }
        notifications.paused(pause, name)
        await watchers[name]?.pause()
        return PauseAnswer(paused: pause, wasPaused: before != nil)
    }

    package func resume(_ name: String) async throws(ControlError) -> PauseAnswer {
        _ = try watcher(name)
        note("resume", [name])
        let pauses = pauses
        let before = try await controlled { try await pauses.set(nil, of: name) }
        health.update(name) { $0.paused = nil }
        if before != nil { notifications.paused(nil, name) }
        await watchers[name]?.resume()
        return PauseAnswer(paused: nil, wasPaused: before != nil)
    }

    package func stopBuild(_ id: BuildID) async throws(ControlError) -> StopAnswer {
        let record = try await build(id)
        let key = record.description.pipeline
        _ = try watcher(key.repository)
        note("stop", [key.repository])
        guard !record.state.isOver, await fleet.builds.dispatcher.stop(key) else {
            throw ControlError(.buildIsOver, "the build \(id) is over", hint: "'slipway logs \(id)' shows how it ended")
        }
        return StopAnswer(repository: key.repository, pipeline: key.pipeline)
    }

    package func retry(_ request: RetryRequest) async throws(ControlError) -> RetryAnswer {
        let watcher = try watcher(request.repository)
        note("retry", [request.repository])
        let hadFailed = await fleet.builds.failures.forget(
            repository: request.repository, pipeline: request.pipeline)
        await watcher.trigger()
        return RetryAnswer(hadFailed: hadFailed)
    }

    package func edit(_ request: EditRequest) async throws(ControlError) -> EditAnswer {
        let workloads = try await manifests(of: request.repository)
        if !request.dryRun { note(request.release == nil ? "policy" : "release", [request.repository]) }
        let notes = NoteList()
        var answer = try await workloads.edit(request, alert: notes.append)
        answer.notes = notes.all
        if let commit = answer.commit {
            health.update(request.repository) { $0.lastCommit = commit }
            await fleet.builds.history?.record(commit, of: request.repository, at: clock.now)
            var event = AgentEvent(.commit, of: request.repository, at: clock.now)
            event.published = commit
            events().append(event)
            notifications.committed(commit, in: request.repository)
            // What was edited may ask for something else than before.
            await trigger(request.repository)
        }
        return answer
    }

    package func workloads(of repository: String) async throws(ControlError) -> WorkloadListing {
        let workloads = try await manifests(of: repository)
        let notes = NoteList()
        return WorkloadListing(try await workloads.list(alert: notes.append), notes: notes.all)
    }

    package func images(of repository: String, _ filter: WorkloadFilter) async throws(ControlError) -> ImageListing {
        let workloads = try await manifests(of: repository)
        let notes = NoteList()
        return ImageListing(try await workloads.images(filter, alert: notes.append), notes: notes.all)
    }
}
