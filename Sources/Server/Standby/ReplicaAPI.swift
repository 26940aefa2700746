import Agent
import NIOHTTP1
import Synchronization

/// Answers for one of several replicas: by itself as long as it leads, and otherwise by handing requests to the one that does.
final class ReplicaAPI: RequestAnswering {
    private let replica: Replica
    private let standby: StandbyAPI
    private let make: @Sendable (any AgentControl) -> AgentAPI
    /// A process leads once at most.
    private let own = Mutex<AgentAPI?>(nil)

    /// How long a request waits for a leader: longer than a change of leaders takes that was announced.
    private static let patience = Duration.seconds(10)

    /// - Parameters:
    ///   - access: who may ask for what; `nil` on the agent's socket.
    ///   - heartbeat: between the comments of a stream of events.
    ///   - tls: by which the leader is known; `nil`: HTTP without TLS.
    init(
        _ replica: Replica, access: APIAccess?, heartbeat: Duration, webhooks: WebhookService.Part, tls: ServerTLS?
    ) {
        self.replica = replica
        standby = StandbyAPI(
            replica, gate: RequestGate(access: access), webhooks: webhooks,
            link: LeaderLink(identity: replica.identity, tls: tls))
        make = { AgentAPI(control: $0, access: access, heartbeat: heartbeat, webhooks: webhooks) }
    }

    func answer(_ request: ServerRequest, _ response: Response) async {
        let deadline = ContinuousClock.now + Self.patience
        while true {
            if case .leading(let control) = replica.role {
                return await api(control).answer(request, response)
            }
            if await standby.answer(request, response, isLast: ContinuousClock.now >= deadline) { return }
            try? await Task.sleep(for: .milliseconds(100))
        }
    }

    private func api(_ control: any AgentControl) -> AgentAPI {
        own.withLock { own in
            if let own { return own }
            let made = make(control)
            own = made
            return made
        }
    }

    /// Hands over what waits for the leader.
    func stop() async { await standby.stop() }
}
