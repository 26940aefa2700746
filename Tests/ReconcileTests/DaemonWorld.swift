import Agent
import AgentFakes
import Git
import Glibc
import Logging
import OCI
import Registry
import RegistryPoller
import Synchronization
import TestSupport

/// An agent's loop over repositories, a registry and a builder in memory, with a clock that the test sets.
final class DaemonWorld: Sendable {
    static let interval: Int64 = 40

    let hosts = FakeHosts()
    let registry = FakeRegistry()
    let builder: FakeBuilder
    let clock = FakeClock()
    let health: AgentHealth
    let log = LogCollector()
    let builds: BuildServices
    let fleet: FakeFleet
    let loop: AgentLoop
    private let disk: TemporaryDirectory

    /// - Parameters:
    ///   - disk: the state directory of an agent that ran before.
    ///   - webhooks: the receivers, with files for their secrets.
    ///   - random: what the jitter is made of; in the middle it takes nothing and adds nothing.
    init(
        _ names: String..., concurrency: Int = 8, over last: DaemonWorld? = nil,
        webhooks: WebhookConfiguration? = nil, notifications: NotificationSettings? = nil,
        events: EventRecorder? = nil, tracing: AgentTracing = .off,
        random: @escaping @Sendable () -> Double = { 0.5 }
    ) async throws {
        disk = try last?.disk ?? TemporaryDirectory("daemon")
        health = AgentHealth(metrics: Metrics(clock: clock))
        builder = FakeBuilder(registry)
        builds = BuildServices(
            builder: builder, queue: BuildQueue(concurrency: concurrency, clock: clock),
            failures: await FailureMemory(directory: disk.path, random: { 0 }),
            history: await HistoryStore(directory: disk.path, clock: clock))
        let tags = registry
        fleet = FakeFleet(hosts: hosts, builds: builds, tags: tags, clock: clock)
        var configuration = Self.configuration(names)
        configuration.notifications = notifications
        loop = AgentLoop(
            configuration: configuration, fleet: fleet, health: health,
            logger: log.logger, pauses: PauseMemory(directory: disk.path),
            receivers: try await WebhookReceivers.load(webhooks),
            notifications: NotificationDesk(
                .init(
                    directory: disk.path, history: builds.history, metrics: health.metrics, logger: log.logger,
                    clock: clock, random: { 0 }, events: events)),
            tracing: tracing, clock: clock, random: random)
    }

    static func configuration(_ names: [String]) -> AgentConfiguration {
        var configuration = AgentConfiguration(stateDirectory: "/nowhere")
        configuration.interval = .seconds(interval)
        configuration.repositories = names.map {
            AgentConfiguration.RepositoryConfiguration(name: $0, url: FakeHosts.url($0), branch: "main")
        }
        return configuration
    }

    /// Whether a file is in the state directory.
    func hasFile(_ name: String) -> Bool { access(disk.file(name), F_OK) == 0 }

    func host(_ name: String) -> FakeGitHost { hosts.host(FakeHosts.url(name)) }

    /// The last cycle of a repository.
    func report(_ name: String) throws -> CycleReport {
        guard let report = health.report(of: name) else { throw TestSupportError("no cycle of \(name) has ended") }
        return report
    }

    func status(_ name: String) throws -> RepositoryStatus {
        guard let status = health.status(of: name) else { throw TestSupportError("there is no status of \(name)") }
        return status
    }

    // MARK: Time

    func until(_ what: String, _ condition: () async throws -> Bool) async throws {
        try await waitUntil(what, every: .milliseconds(1), condition)
    }

    /// Returns when no cycle is under way, and every repository waits for its next one.
    func idle() async throws {
        try await until("all repositories wait for their next look") {
            var asleep = clock.wakeTimes
            return health.statuses.allSatisfy { status in
                guard let next = status.nextAttempt, let index = asleep.firstIndex(of: next) else { return false }
                asleep.remove(at: index)
                return true
            }
        }
    }

    func begin() async throws {
        await loop.begin()
        try await idle()
    }

    /// Lets the next look of all come that wait no longer than the interval.
    func nextLook() async throws {
        try await idle()
        clock.advance(by: Self.interval)
        try await idle()
    }

    func trigger(_ name: String) async throws {
        await loop.trigger(name)
        try await idle()
    }
}

/// The git hosts of a test, by URL.
final class FakeHosts: Sendable {
    private let hosts = Mutex<[String: FakeGitHost]>([:])

    static func url(_ name: String) -> String { "https://git.example.com/acme/\(name).git" }

    func host(_ url: String) -> FakeGitHost {
        hosts.withLock { hosts in
            if let known = hosts[url] { return known }
            let host = FakeGitHost()
            hosts[url] = host
            return host
        }
    }
}

/// The fleet of a test.
actor FakeFleet: RepositoryFleet {
    nonisolated let registry = RegistryAccess(configuration: RegistryConfiguration())
    nonisolated let builds: BuildServices
    private let hosts: FakeHosts
    private let tags: any TagSource
    private let clock: any AgentClock
    private var reconcilers: [String: Reconciler] = [:]
    private var reloadFailure: AgentError?
    /// The configuration that came after this fleet's.
    private(set) var next: AgentConfiguration?

    init(hosts: FakeHosts, builds: BuildServices, tags: any TagSource, clock: any AgentClock) {
        self.hosts = hosts
        self.builds = builds
        self.tags = tags
        self.clock = clock
    }

    /// The next configuration cannot be used.
    func failReload(with error: AgentError) { reloadFailure = error }

    func reconciler(
        for repository: AgentConfiguration.RepositoryConfiguration
    ) async throws(AgentError) -> Reconciler {
        if let known = reconcilers[repository.name] { return known }
        let remote = FakeGitRemote(hosts.host(repository.url), displayURL: repository.url)
        let git = GitServices(remote: remote, settings: AgentConfiguration.GitConfiguration(), clock: clock)
        let reconciler = Reconciler(
            repository: repository, services: RepositoryServices(git: git, builds: builds, tags: tags))
        reconcilers[repository.name] = reconciler
        return reconciler
    }

    func expire(_ tag: String?, in location: RepositoryLocation) async { await tags.expire(tag, in: location) }

    func tidy(now: Int64) async -> CacheUse {
        CacheUse(size: await builds.builder.collectGarbage(olderThan: nil, now: now), limit: 1 << 30)
    }

    func reloaded(
        _ configuration: AgentConfiguration, say: @escaping @Sendable (String) -> Void
    ) async throws(AgentError) -> any RepositoryFleet {
        if let reloadFailure { throw reloadFailure }
        next = configuration
        return FakeFleet(hosts: hosts, builds: builds, tags: tags, clock: clock)
    }
}

/// What is logged at `info` and above.
final class LogCollector: Sendable {
    private let collected = Mutex<[String]>([])

    var logger: Logger { Logger(label: "test") { _ in Handler(collector: self) } }

    /// A line each: the level, the message, and what the metadata says, by its keys.
    var lines: [String] { collected.withLock { $0 } }

    func clear() { collected.withLock { $0 = [] } }

    private struct Handler: LogHandler {
        let collector: LogCollector
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        init(collector: LogCollector) { self.collector = collector }

        subscript(metadataKey key: String) -> Logger.MetadataValue? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
            let words = all.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            collector.collected.withLock {
                $0.append("\(event.level) \(event.message) \(words.joined(separator: " "))")
            }
        }
    }
}

/// Builds wait here until the test lets them go on, or until they are cancelled.
actor Gate {
    private var isOpen = false
    private var waiting: [Int: CheckedContinuation<Bool, Never>] = [:]
    private(set) var entered = 0

    /// - Returns: whether it was opened; `false` when the task was cancelled.
    func pass() async -> Bool {
        entered += 1
        let number = entered
        guard !isOpen, !Task.isCancelled else { return isOpen }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { waiting[number] = $0 }
        } onCancel: {
            Task { await self.leave(number) }
        }
    }

    private func leave(_ number: Int) { waiting.removeValue(forKey: number)?.resume(returning: false) }

    func open() {
        isOpen = true
        for continuation in waiting.values { continuation.resume(returning: true) }
        waiting = [:]
    }

    /// Lets the one go on that waits longest.
    func letOneGo() {
        guard let first = waiting.keys.min() else { return }
        waiting.removeValue(forKey: first)?.resume(returning: true)
    }
}
