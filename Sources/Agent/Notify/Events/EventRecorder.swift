import Cluster
package import Logging
package import Notifications
import Synchronization

/// Shows in `kubectl describe` and `kubectl events` what the agent does, by Events on its own Deployment.
///
/// Nothing waits for it. It leaves out what is too much and what the API server refuses; the agent's history has everything.
package final class EventRecorder: Sendable {
    private struct State {
        var waiting: [Notice] = []
        var isOn = true
        var isWorking = false
    }

    private let poster: EventPoster
    private let log: EventLog
    private let state = Mutex(State())

    private static let limit = 100

    package init(
        _ cluster: any EventKeeping, pod: AgentPod, clock: any AgentClock = SystemClock(), logger: Logger
    ) {
        log = EventLog(logger)
        poster = EventPoster(cluster, pod: pod, clock: clock, log: log)
    }

    /// A recorder for the cluster in which the agent's pod runs, whatever cluster manifests are applied to.
    ///
    /// - Returns: `nil` where the agent does not run in a pod that knows its name and has a service account's token.
    package static func open(
        _ settings: AgentConfiguration.ClusterSettings, pod environment: PodEnvironment = .current, logger: Logger
    ) -> EventRecorder? {
        let cause: String
        do throws(ClusterError) {
            let endpoint = try AgentConfiguration.ClusterSettings().endpoint()
            if let endpoint, let pod = AgentPod(environment) {
                let client = ClusterClient(
                    endpoint, userAgent: Version.userAgent, patience: .init(attempts: 2, seconds: 10))
                return EventRecorder(ClusterEvents(client), pod: pod, logger: logger)
            }
            cause =
                endpoint == nil
                ? "the agent does not run in a pod" : "POD_NAME and POD_NAMESPACE are not both set"
        } catch {
            cause = "\(error)"
        }
        if settings.events == true {
            logger.warning("'cluster.events' is true, and no Events are written", metadata: ["cause": "\(cause)"])
        }
        return nil
    }

    /// Goes on by another configuration.
    ///
    /// - Returns: whether Events are wanted.
    func adopt(_ settings: AgentConfiguration.ClusterSettings) -> Bool {
        state.withLock { state in
            state.isOn = settings.events ?? true
            if !state.isOn { state.waiting = [] }
            return state.isOn
        }
    }

    /// How many notices wait to be written.
    var backlog: Int { state.withLock(\.waiting.count) }

    /// Puts them down to be written, and returns at once.
    package func take(_ notices: [Notice]) {
        let (begins, lost) = state.withLock { state -> (Bool, Int) in
            guard state.isOn, !notices.isEmpty else { return (false, 0) }
            let new = notices.prefix(Self.limit - state.waiting.count)
            state.waiting += new
            defer { state.isWorking = true }
            return (!state.isWorking, notices.count - new.count)
        }
        if lost > 0 { log.leftOut(lost) }
        if begins { Task { await work() } }
    }

    private func work() async { while let notice = next() { await poster.post(notice) } }

    private func next() -> Notice? {
        state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.isWorking = false
                return nil
            }
            return state.waiting.removeFirst()
        }
    }
}
