package import Cluster
import Glibc
package import Logging
import Synchronization

/// This process in the election of the agent's replicas: waits for its turn, keeps it, gives it back.
///
/// A process leads once. When it loses the Lease it ends, and its pod starts another one: nothing that is under way anywhere in a
/// process outlives it, which no amount of cancelling could promise.
package final class ReplicaElection: Sendable {
    package enum Event: Sendable {
        /// What is written from now on is written by it.
        case leads(WritePermit)
        case lost(AgentError)
    }

    package let replica: Replica
    private let elector: LeaderElector
    private let watchdog: TermWatchdog
    private let lease: String
    private struct Running {
        var task: Task<Void, Never>?
        var term: LeadershipTerm?
    }
    private let running = Mutex(Running())

    package init(replica: Replica, elector: LeaderElector, watchdog: TermWatchdog, lease: String) {
        self.replica = replica
        self.elector = elector
        self.watchdog = watchdog
        self.lease = lease
    }

    /// Prepares the election that a configuration asks for.
    ///
    /// - Parameter environment: the pod's name, namespace and address, by the downward API.
    /// - Returns: `nil` where it asks for none.
    /// - Throws: where there is no cluster.
    package static func open(
        _ configuration: AgentConfiguration, environment: PodEnvironment, health: AgentHealth, logger: Logger
    ) throws(AgentError) -> ReplicaElection? {
        guard let settings = configuration.election else { return nil }
        let endpoint: ClusterEndpoint
        do throws(AgentError) {
            endpoint = try configuration.cluster.endpoint(for: "to hold leaderElection's Lease")
        } catch {
            throw AgentError(
                error.summary, place: error.place ?? "leaderElection", cause: error.cause, hint: error.hint)
        }
        let lease = ClusterLease(
            endpoint, namespace: settings.namespace ?? environment.namespace ?? endpoint.namespace, name: settings.name,
            userAgent: Version.userAgent, timing: settings.timing)
        let isTLS = configuration.tls != nil
        let api = LeaderPlace(listening: configuration.listen, isTLS: isTLS, pod: environment.address)
        let webhooks = configuration.webhooks.flatMap { webhooks in
            webhooks.listen.map { LeaderPlace(listening: $0, isTLS: isTLS, pod: environment.address) } ?? api
        }
        if configuration.listen != nil, api == nil {
            logger.warning(
                "other replicas cannot hand requests to this one: its address is not known",
                metadata: [
                    "listen": "\(configuration.listen ?? "")",
                    "hint": "set POD_IP by the downward API: docs/replicas.md",
                ])
        }
        let candidate = LeaseCandidate(
            identity: environment.identity(),
            annotations: [Leader.addressKey: api?.text, Leader.webhookKey: webhooks?.text])
        let replica = Replica(identity: candidate.identity, lease: lease.shown, health: health, logger: logger)
        let elector = LeaderElector(
            lease, candidate: candidate, timing: settings.timing,
            tell: { [weak replica] in replica?.note($0) })
        return ReplicaElection(
            replica: replica, elector: elector, watchdog: TermWatchdog(logger: logger), lease: lease.shown)
    }

    /// Waits for its turn from now on.
    ///
    /// - Parameter tell: is called when this process leads, and when it does not any more.
    package func begin(_ tell: @escaping @Sendable (Event) -> Void) {
        let (elector, watchdog, lease) = (elector, watchdog, lease)
        let task = Task {
            guard let term = await elector.acquire() else { return }
            self.running.withLock { $0.term = term }
            watchdog.watch(term)
            tell(.leads(WritePermit(term)))
            if let loss = await elector.keep(term) { tell(.lost(loss.error(lease))) }
        }
        running.withLock { $0.task = task }
    }

    /// Stops, and lets another replica lead at once.
    ///
    /// - Parameter isQuiet: whether nothing is written any more. If not, the Lease runs out: by then this process has ended.
    /// - Returns: whether another one may lead at once.
    package func end(isQuiet: Bool) async -> Bool {
        let (task, term) = running.withLock { ($0.task, $0.term) }
        task?.cancel()
        await task?.value
        guard let term else { return false }
        let mayRelease = isQuiet && term.allowsWrites
        term.end()
        guard mayRelease, await elector.release() else { return false }
        watchdog.stop()
        return true
    }

    /// Waits until another replica leads, so that what is still asked of this one can be handed over.
    package func waitForSuccessor(atMost limit: Duration = .seconds(3)) async {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            await elector.observe()
            if let leader = replica.leader, leader.identity != replica.identity { return }
            do { try await Task.sleep(for: .milliseconds(200)) } catch { return }
        }
    }
}

extension ElectionLoss {
    func error(_ lease: String) -> AgentError {
        let hint = "the process ends, and starts again as a standby: docs/replicas.md"
        switch self {
        case .notRenewed(let error):
            return AgentError(
                "this replica leads no more: it could not renew its Lease in time", place: lease,
                cause: error.map { [$0.summary, $0.cause].compactMap(\.self).joined(separator: ": ") }
                    ?? "the API server did not answer", hint: hint)
        case .taken(let holder):
            return AgentError(
                "this replica leads no more: its Lease was taken", place: lease,
                cause: holder.map { "\($0) holds it" } ?? "nobody holds it", hint: hint)
        }
    }
}
