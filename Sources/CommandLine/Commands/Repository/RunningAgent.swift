import Agent
import Logging
import Server

/// What a running `slipway agent` consists of: its servers from the start, and the loop as long as it leads.
actor RunningAgent {
    private var configuration: AgentConfiguration
    private let health: AgentHealth
    private let tracing: AgentTracing
    private let log: Logger
    private let certificate: AgentCertificate
    /// `nil` for an agent without replicas.
    private let election: ReplicaElection?
    private var loop: AgentLoop?
    private var access: APIAccess?
    private var servers: [AgentServer] = []
    private var commands: Task<(socket: AgentSocket, server: AgentServer)?, Never>?

    /// Listens where the configuration says; an agent without replicas leads at once.
    static func start(
        _ configuration: AgentConfiguration, health: AgentHealth, tracing: AgentTracing, log: Logger
    ) async throws -> RunningAgent {
        let agent = RunningAgent(
            configuration, health: health, tracing: tracing, log: log,
            certificate: try await AgentCertificate.load(configuration.tls),
            election: try ReplicaElection.open(
                configuration, environment: .current, health: health, logger: log))
        try await agent.prepare()
        return agent
    }

    private init(
        _ configuration: AgentConfiguration, health: AgentHealth, tracing: AgentTracing, log: Logger,
        certificate: AgentCertificate, election: ReplicaElection?
    ) {
        self.configuration = configuration
        self.health = health
        self.tracing = tracing
        self.log = log
        self.certificate = certificate
        self.election = election
    }

    private func prepare() async throws {
        let receivers = try await WebhookReceivers.load(configuration.webhooks)
        if let election { election.replica.adopt(receivers) } else { loop = try await makeLoop(receivers, .always) }
        if let address = configuration.listen {
            let granted = APIAccess(configuration.api, address: address)
            // Without receivers, too: a reload may bring some.
            let takesWebhooks = configuration.webhooks?.listen == nil
            let started =
                if let election {
                    try await AgentServer.start(
                        address: address, replica: election.replica, access: granted, takesWebhooks: takesWebhooks,
                        tls: certificate.tls)
                } else {
                    try await AgentServer.start(
                        address: address, control: try leading(), access: granted, takesWebhooks: takesWebhooks,
                        tls: certificate.tls)
                }
            access = granted
            log.info("listening", metadata: ["port": "\(started.port)"])
            servers.append(started)
        }
        if let address = configuration.webhooks?.listen {
            let started =
                if let election {
                    try await AgentServer.startWebhooks(
                        address: address, replica: election.replica, tls: certificate.tls)
                } else {
                    try await AgentServer.startWebhooks(
                        address: address, control: try leading(), tls: certificate.tls)
                }
            log.info("listening for webhooks", metadata: ["port": "\(started.port)"])
            servers.append(started)
        } else if configuration.webhooks != nil, configuration.listen == nil {
            throw AgentError(
                "webhooks have receivers, and the agent listens nowhere", place: "webhooks",
                hint: "write an address as 'listen', or one for webhooks alone as 'webhooks.listen'")
        }
    }

    private func leading() throws(AgentError) -> AgentLoop {
        guard let loop else { throw AgentError("the agent is starting") }
        return loop
    }

    private func makeLoop(_ receivers: WebhookReceivers, _ permit: WritePermit) async throws(AgentError) -> AgentLoop {
        let log = log
        let fleet = try await Fleet.open(configuration, sharesScans: true, permit: permit) { log.info("\($0)") }
        return AgentLoop(
            configuration: configuration, fleet: fleet, health: health, logger: log, receivers: receivers,
            notifications: NotificationDesk(
                .init(
                    directory: configuration.stateDirectory, history: fleet.builds.history, metrics: health.metrics,
                    logger: log, events: EventRecorder.open(configuration.cluster, logger: log))),
            tracing: tracing)
    }

    /// Begins to work, or to wait for its turn.
    func begin(_ tell: @escaping @Sendable (ReplicaElection.Event) -> Void) async {
        if let election {
            log.notice("waiting for its turn", metadata: ["replica": "\(election.replica.identity)"])
            election.begin(tell)
        }
        await loop?.begin()
        commands = answerCommands()
    }

    /// It is this replica's turn.
    func lead(by permit: WritePermit) async throws {
        guard let election, loop == nil else { return }
        log.notice("this replica leads", metadata: ["replica": "\(election.replica.identity)"])
        let loop = try await makeLoop(try await WebhookReceivers.load(configuration.webhooks), permit)
        self.loop = loop
        await loop.begin()
        election.replica.lead(loop)
    }

    /// - Returns: what the new configuration says and only a restart brings about.
    func reload(_ configured: AgentConfiguration) async throws(AgentError) -> [String] {
        let log = log
        var new = configured
        var notes: [String] = []
        if let loop {
            notes = try await loop.reload(new) { log.debug("\($0)") }
        } else {
            election?.replica.adopt(try await WebhookReceivers.load(new.webhooks))
            if new.stateDirectory != configuration.stateDirectory || new.listen != configuration.listen {
                notes.append("stateDirectory and listen stay as they were until the agent is restarted")
                (new.stateDirectory, new.listen) = (configuration.stateDirectory, configuration.listen)
            }
        }
        if new.election != configuration.election {
            notes.append("leaderElection stays as it was until the agent is restarted")
        }
        access?.adopt(new.api)
        await certificate.adopt(new.tls, log)
        configuration = new
        return notes
    }

    /// A configuration could not be read.
    func reloadFailed() async { await loop?.reloadFailed() }

    /// Ends: nothing is written any more before another replica may lead, and that one may do so before the last request is answered.
    func stop() async {
        election?.replica.leave()
        commands?.cancel()
        let answering = await commands?.value
        answering?.socket.remove()
        let isQuiet = await loop?.end() ?? true
        if let election {
            if await election.end(isQuiet: isQuiet) { await election.waitForSuccessor() }
        }
        await answering?.server.stop()
        for server in servers { await server.stop() }
        await tracing.shutdown(within: .seconds(3))
    }

    /// Answers on the socket in the state directory, as soon as no other agent does: the one before may still be leaving. An agent
    /// without it is one that commands cannot reach, and works.
    private func answerCommands() -> Task<(socket: AgentSocket, server: AgentServer)?, Never> {
        let (stateDirectory, log, replica, loop) = (configuration.stateDirectory, log, election?.replica, loop)
        return Task {
            var isTold = false
            while true {
                do {
                    if let socket = try AgentSocket.bind(in: stateDirectory) {
                        if let replica {
                            return (socket, try await AgentServer.start(socket: socket, replica: replica))
                        }
                        guard let loop else { return nil }
                        return (socket, try await AgentServer.start(socket: socket, control: loop))
                    }
                } catch {
                    log.error("commands cannot reach this agent", metadata: ["error": "\(error)"])
                    return nil
                }
                if !isTold {
                    log.warning(
                        "commands cannot reach this agent: another one has the socket",
                        metadata: ["socket": "\(AgentSocket.path(in: stateDirectory))"])
                }
                isTold = true
                do { try await Task.sleep(for: .seconds(5)) } catch { return nil }
            }
        }
    }
}
