import Blocking
import FileSystem
import Logging
import Notifications

/// Makes notices of what the agent does, remembers them, and gives them to the channels that they are for. Works on a thread of its own,
/// so that the disk holds up nobody.
actor NotificationClerk {
    private let executor = BlockingExecutor(label: "notifications")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let environment: NotificationDesk.Environment
    private let submit: @Sendable (NotificationDesk.Event) -> Void
    private var settings = NotificationSettings()
    private var maker = NoticeMaker()
    private var memory = NotificationMemory()
    private var queues: [String: DeliveryQueue] = [:]
    private var hasRead = false
    private var isUnsaved = false

    /// - Parameter submit: takes what is told later of deliveries.
    init(_ environment: NotificationDesk.Environment, submit: @escaping @Sendable (NotificationDesk.Event) -> Void) {
        self.environment = environment
        self.submit = submit
    }

    /// Takes events in their order. What they give is on the disk before it is on its way.
    func take(_ events: [NotificationDesk.Event]) async {
        var new: [String: [Notice]] = [:]
        for event in events {
            let made = await notices(of: event)
            environment.events?.take(made)
            for notice in made {
                for channel in settings.channels(for: notice) { new[channel, default: []].append(notice) }
            }
        }
        if maker.incidents != memory.incidents {
            memory.incidents = maker.incidents
            isUnsaved = true
        }
        for (channel, notices) in new {
            memory.waiting[channel, default: []] += notices
            isUnsaved = true
        }
        save()
        for (channel, notices) in new { await queues[channel]?.add(notices) }
    }

    private func notices(of event: NotificationDesk.Event) async -> [Notice] {
        switch event {
        case .configured(let settings, let repositories):
            await adopt(settings, repositories)
            return []
        case .cycle(let report, let now): return maker.notices(of: report, at: now)
        case .build(let end, let now): return maker.notices(of: end, await record(of: end.key), at: now)
        case .commit(let commit, let repository, let now): return maker.notices(of: commit, in: repository, at: now)
        case .pause(let pause, let repository, let now): return maker.notices(of: pause, repository, at: now)
        case .outcome(let notices, let outcome, let channel):
            note(outcome, of: notices, in: channel)
            return []
        }
    }

    private func record(of key: PipelineKey) async -> BuildRecord? {
        await environment.history?.builds(of: key.repository, limit: 50, before: nil)
            .first { $0.description.pipeline == key }
    }

    // MARK: Channels

    /// Goes on by other settings. What waits for a channel that is still there is sent by its new form.
    private func adopt(_ new: NotificationSettings?, _ repositories: Set<String>) async {
        let left = await stopQueues()
        if !hasRead, new != nil {
            memory = NotificationMemory.read(in: environment.directory)
            maker = NoticeMaker(memory.incidents)
            hasRead = true
        }
        memory.waiting.merge(left) { _, current in current }
        settings = new ?? NotificationSettings()
        maker.pages = settings.pages
        maker.failingFor = Int64(settings.failingFor.seconds)
        maker.keep(only: repositories)
        guard new != nil else { return }
        let names = Set(settings.channels.map(\.name))
        memory.waiting = memory.waiting.filter { names.contains($0.key) }
        isUnsaved = true
        for channel in settings.channels {
            let (name, submit) = (channel.name, submit)
            let queue = DeliveryQueue(channel, clock: environment.clock, random: environment.random) {
                submit(.outcome($0, $1, channel: name))
            }
            queues[name] = queue
            await queue.add(memory.waiting[name] ?? [])
        }
    }

    /// - Returns: what was not delivered, by channel.
    private func stopQueues() async -> [String: [Notice]] {
        let stopping = queues
        queues = [:]
        return await withTaskGroup(of: (String, [Notice]).self) { group in
            for (name, queue) in stopping { group.addTask { (name, await queue.stop()) } }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    /// Sends nothing more; what is not delivered waits for the next process.
    func stop() async {
        for (channel, notices) in await stopQueues() {
            memory.waiting[channel] = notices.isEmpty ? nil : notices
            isUnsaved = true
        }
        save()
    }

    // MARK: Outcomes

    private func note(_ outcome: DeliveryOutcome, of notices: [Notice], in channel: String) {
        let labels = [("channel", channel), ("outcome", outcome.label)]
        environment.metrics.add("slipway_notifications_total", Double(notices.count), labels)
        if outcome.isFinal, let waiting = memory.waiting[channel] {
            let ids = Set(notices.map(\.id))
            let left = waiting.filter { !ids.contains($0.id) }
            memory.waiting[channel] = left.isEmpty ? nil : left
            isUnsaved = true
        }
        log(outcome, of: notices, in: channel)
    }

    private func log(_ outcome: DeliveryOutcome, of notices: [Notice], in channel: String) {
        let logger = environment.logger
        var metadata: Logger.Metadata = [
            "channel": "\(channel)", "events": "\(Set(notices.map(\.kind.rawValue)).sorted().joined(separator: " "))",
            "count": "\(notices.count)",
        ]
        switch outcome {
        case .delivered(let receipt):
            if let status = receipt.status { metadata["status"] = "\(status)" }
            logger.debug("notification delivered", metadata: metadata)
        case .retried(let error, let seconds):
            metadata["error"] = "\(error)"
            metadata["retry"] = "\(Int(seconds)) s"
            logger.warning("notification not delivered yet", metadata: metadata)
        case .failed(let error):
            metadata["error"] = "\(error)"
            logger.error("notification not delivered", metadata: metadata)
        case .dropped:
            logger.warning("notifications dropped: the channel does not take them in time", metadata: metadata)
        }
    }

    private func save() {
        guard isUnsaved, hasRead else { return }
        isUnsaved = false
        do throws(FileSystemError) { try memory.write(in: environment.directory) } catch {
            // What was told may be told again by the next process; nothing else depends on it.
            environment.logger.warning(
                "cannot remember what was notified of", metadata: ["error": "\(error)"])
        }
    }
}
