package import Logging
import Notifications
import Synchronization

/// Where the agent says what happens, so that people are told. Nothing waits here: events are put down, and worked on elsewhere.
package final class NotificationDesk: Sendable {
    /// What it works with.
    package struct Environment: Sendable {
        /// Holds the file of what was told.
        let directory: String
        let history: HistoryStore?
        let clock: any AgentClock
        let metrics: Metrics
        let logger: Logger
        let random: @Sendable () -> Double
        /// Writes Events in the agent's cluster; `nil` where it cannot.
        let events: EventRecorder?

        package init(
            directory: String, history: HistoryStore?, metrics: Metrics, logger: Logger,
            clock: any AgentClock = SystemClock(),
            random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }, events: EventRecorder? = nil
        ) {
            self.directory = directory
            self.history = history
            self.clock = clock
            self.metrics = metrics
            self.logger = logger
            self.random = random
            self.events = events
        }
    }

    enum Event: Sendable {
        /// - Parameters:
        ///   - settings: `nil`: there are no channels.
        ///   - repositories: the names of all that there are.
        case configured(NotificationSettings?, repositories: Set<String>)
        /// Times are seconds since 1970.
        case cycle(CycleReport, at: Int64)
        case build(BuildEnd, at: Int64)
        /// By a command.
        case commit(CycleReport.Published, repository: String, at: Int64)
        case pause(RepositoryPause?, repository: String, at: Int64)
        case outcome([Notice], DeliveryOutcome, channel: String)
    }

    private struct Inbox {
        var events: [Event] = []
        var isOpen = true
        /// Whether anybody is to be told of anything.
        var isWanted = false
        var lost = 0
    }

    private let environment: Environment
    private let inbox = Mutex(Inbox())
    private let bell: AsyncStream<Void>.Continuation
    private let rings: AsyncStream<Void>
    private let worker = Mutex<Task<Void, Never>?>(nil)

    /// Only a disk that hangs lets so many wait.
    private static let limit = 20_000

    package init(_ environment: Environment) {
        self.environment = environment
        (rings, bell) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Begins, or goes on by another configuration.
    package func adopt(_ configuration: AgentConfiguration) {
        let writesEvents = environment.events?.adopt(configuration.cluster) ?? false
        let isWanted = configuration.notifications != nil || writesEvents
        inbox.withLock { $0.isWanted = isWanted }
        guard isWanted || worker.withLock({ $0 != nil }) else { return }
        submit(
            .configured(configuration.notifications, repositories: Set(configuration.repositories.map(\.name))))
        worker.withLock { worker in
            if worker == nil { worker = begin() }
        }
    }

    private func begin() -> Task<Void, Never> {
        let clerk = NotificationClerk(environment) { [weak self] in self?.submit($0) }
        let rings = rings
        return Task {
            for await _ in rings { await clerk.take(self.collect()) }
            await clerk.take(self.collect())
            await clerk.stop()
            // What became of those that were under way.
            await clerk.take(self.collect())
        }
    }

    private func collect() -> [Event] {
        let (events, lost) = inbox.withLock { inbox in
            defer { (inbox.events, inbox.lost) = ([], 0) }
            return (inbox.events, inbox.lost)
        }
        if lost > 0 {
            environment.logger.error("events were not notified of: there are too many", metadata: ["count": "\(lost)"])
        }
        return events
    }

    /// Ends. What is not delivered by then is sent by the next process.
    package func stop() async {
        bell.finish()
        let task = worker.withLock { $0 }
        await task?.value
        inbox.withLock { $0.isOpen = false }
    }

    private func submit(_ event: Event) {
        let isNoted = inbox.withLock { inbox in
            guard inbox.isOpen else { return false }
            switch event {
            case .configured, .outcome: break
            case .cycle, .build, .commit, .pause: guard inbox.isWanted else { return false }
            }
            guard inbox.events.count < Self.limit else {
                inbox.lost += 1
                return false
            }
            inbox.events.append(event)
            return true
        }
        if isNoted { bell.yield() }
    }

    // MARK: What happens

    func cycleEnded(_ report: CycleReport) { submit(.cycle(report, at: environment.clock.now)) }

    func buildEnded(_ build: BuildEnd) { submit(.build(build, at: environment.clock.now)) }

    func committed(_ commit: CycleReport.Published, in repository: String) {
        submit(.commit(commit, repository: repository, at: environment.clock.now))
    }

    /// - Parameter pause: `nil`: a person resumed it.
    func paused(_ pause: RepositoryPause?, _ repository: String) {
        submit(.pause(pause, repository: repository, at: environment.clock.now))
    }
}
