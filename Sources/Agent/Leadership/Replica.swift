import Cluster
package import Logging
import Synchronization
package import Telemetry
package import Webhooks

/// What this process is among the replicas of the agent, for those who ask it.
package final class Replica: Sendable {
    package enum Role: Sendable {
        /// Another replica leads, or none does yet.
        case standby
        case leading(any AgentControl)
        /// It led, and ends.
        case leaving
    }

    private struct State {
        var role = Role.standby
        var leader: Leader?
        /// Whether the Lease was read at least once.
        var hasSeen = false
        /// Why it could not be read the last time.
        var failure: ClusterError?
    }

    private let state = Mutex(State())
    private let health: AgentHealth
    private let desk: WebhookDesk
    private let logger: Logger
    package let identity: String
    /// For messages.
    private let lease: String

    package init(
        identity: String, lease: String, health: AgentHealth, logger: Logger, clock: any AgentClock = SystemClock()
    ) {
        self.identity = identity
        self.lease = lease
        self.health = health
        self.logger = logger
        desk = WebhookDesk(clock: clock, metrics: health.metrics, logger: logger)
        health.metrics.set("slipway_leader", 0)
    }

    package var role: Role { state.withLock(\.role) }
    /// `nil`: none does, as far as is known here.
    package var leader: Leader? { state.withLock(\.leader) }

    /// Takes up another configuration's receivers, so that what is not genuine is refused here.
    package func adopt(_ receivers: WebhookReceivers) { desk.adopt(receivers, []) }

    // MARK: Roles

    package func lead(_ control: any AgentControl) {
        state.withLock { $0.role = .leading(control) }
        health.metrics.set("slipway_leader", 1)
    }

    package func leave() {
        state.withLock { $0.role = .leaving }
        health.metrics.set("slipway_leader", 0)
    }

    func note(_ news: ElectionNews) {
        switch news {
        case .failed(let error):
            let isNew = state.withLock { state in
                defer { state.failure = error }
                return state.failure?.code != error.code
            }
            if isNew {
                logger.warning(
                    "the Lease cannot be read or renewed", metadata: ["lease": "\(lease)", "error": "\(error)"])
            }
        case .seen(let found):
            let leader = found.flatMap(Leader.init)
            let (before, hadFailed) = state.withLock { state in
                defer { (state.leader, state.hasSeen, state.failure) = (leader, true, nil) }
                return (state.leader, state.failure != nil)
            }
            if hadFailed { logger.notice("the Lease can be read again", metadata: ["lease": "\(lease)"]) }
            guard before?.identity != leader?.identity else { return }
            health.metrics.add("slipway_leader_changes_total", 1)
            if let leader, leader.identity != identity {
                logger.notice(
                    "another replica leads",
                    metadata: ["leader": "\(leader.identity)", "address": "\(leader.api?.text ?? "unknown")"])
            }
        }
    }

    // MARK: Questions that are answered here

    /// Ready: the Lease was read, so that this replica can take over and knows where to send what it is asked. It stays so when it
    /// begins to lead: what is still to be looked at makes nobody wait who can be answered.
    package var readiness: (isReady: Bool, text: String) {
        let state = state.withLock(\.self)
        switch state.role {
        case .leaving: return (false, "not ready: the agent is stopping")
        case .leading(let control): return (true, "leader; \(control.readiness.text)")
        case .standby: break
        }
        guard state.hasSeen else {
            let reason = state.failure.map { ": \($0)" } ?? ""
            return (false, "not ready: the \(lease) was not read yet\(reason)")
        }
        let leader = state.leader.map { "\($0.identity) leads" } ?? "nobody leads yet"
        return (true, "ready; standby: \(leader)" + (state.failure == nil ? "" : "; the API server does not answer"))
    }

    package func metrics(as format: MetricsFormat) -> String { health.metrics.text(as: format) }

    /// - Returns: the answer to a request that is not genuine, or that there is no room for; `nil` for one that is to be handed to
    ///   the leader.
    package func refusal(of receiver: String, _ request: WebhookRequest) -> WebhookAnswer? {
        desk.refusal(of: request, to: receiver)
    }

    /// What became of a webhook that was kept for the leader.
    package func handedOver(_ receiver: String, isDelivered: Bool) {
        health.metrics.add("slipway_webhooks_handed_over_total", 1, [("result", isDelivered ? "delivered" : "dropped")])
        guard !isDelivered else { return }
        logger.warning("a webhook did not reach the leader and is dropped", metadata: ["receiver": "\(receiver)"])
    }
}

extension Leader {
    static let addressKey = "slipway.dev/address"
    static let webhookKey = "slipway.dev/webhook-address"

    init?(_ lease: Lease) {
        guard let identity = lease.holder else { return nil }
        self.init(
            identity: identity, api: lease.annotation(Self.addressKey).flatMap { LeaderPlace($0) },
            webhooks: lease.annotation(Self.webhookKey).flatMap { LeaderPlace($0) })
    }
}
