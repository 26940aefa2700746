import Agent
package import ArgumentParser
import Glibc
import Logging
import Server

extension LogFormat: ExpressibleByArgument {}

/// `slipway agent`: the daemon.
package struct AgentCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "agent",
        abstract: "Run as a daemon: watch the configured repositories and registries.",
        discussion: """
            Runs until SIGTERM or SIGINT: waiting ends at once and RUN steps within ten seconds; what was cut off is done by the \
            next process. SIGHUP, or a change of the configuration file or of a file that it names, reloads it; a file with a \
            fault keeps the configuration as it was. Shows its pages and answers /healthz, /readyz, /metrics and /api/v1 where \
            `listen` says. Commands on the same machine (sync, plan, status, retry, release …) go through the socket in its state \
            directory; from elsewhere, by --server and the token of `api.tokenFile`.

            EXAMPLES
              slipway agent --config /etc/slipway/agent.yaml
              slipway agent --repo https://git.example.com/acme/shop.git --branch main --listen 127.0.0.1:8080
            """)

    @OptionGroup var repository: RepositoryOptions

    @Option(help: ArgumentHelp("Where the status server listens.", valueName: "host:port"))
    var listen: String?

    @Option(name: .customLong("log-format"), help: "How the log is written: logfmt or json.")
    var logFormat: LogFormat?

    @Option(name: .customLong("log-level"), help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel: String?

    package init() {}

    package mutating func validate() throws {
        if let logLevel, Logger.Level(rawValue: logLevel) == nil {
            let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--log-level '\(logLevel)' is unknown; use one of \(levels)")
        }
    }

    private func resolved() throws -> AgentConfiguration {
        var configuration = try repository.resolved()
        if let listen { configuration.listen = listen }
        if let logFormat { configuration.log.format = logFormat }
        if let level = logLevel.flatMap({ Logger.Level(rawValue: $0) }) { configuration.log.level = level }
        return configuration
    }

    package mutating func run() async throws {
        // Watched before it is read, so that no change falls between.
        let watch = FileWatch(Set([repository.config].compactMap(\.self)))
        let configuration = try resolved()
        await watch.follow(configuration.files(configurationFile: repository.config))
        let (settings, output) = (configuration.log, LogOutput())
        LoggingSystem.bootstrap { _ in AgentLogHandler(settings, output: output) }
        let logger = Logger(label: "slipway")
        let log = logger

        let health = AgentHealth(metrics: Metrics())
        let tracing = AgentTracing.start(Self.environment(), metrics: health.metrics) { log.warning("\($0)") }
        let fleet = try await Fleet.open(configuration, sharesScans: true) { log.info("\($0)") }
        let loop = AgentLoop(
            configuration: configuration, fleet: fleet, health: health, logger: logger,
            receivers: try await WebhookReceivers.load(configuration.webhooks), tracing: tracing)
        let certificate = try await AgentCertificate.load(configuration.tls)
        var servers: [AgentServer] = []
        var access: APIAccess?
        if let address = configuration.listen {
            let granted = APIAccess(configuration.api, address: address)
            // Without receivers, too: a reload may bring some.
            let started = try await AgentServer.start(
                address: address, control: loop, access: granted, takesWebhooks: configuration.webhooks?.listen == nil,
                tls: certificate.tls)
            access = granted
            log.info("listening", metadata: ["port": "\(started.port)"])
            servers.append(started)
        }
        if let address = configuration.webhooks?.listen {
            let started = try await AgentServer.startWebhooks(address: address, control: loop, tls: certificate.tls)
            log.info("listening for webhooks", metadata: ["port": "\(started.port)"])
            servers.append(started)
        } else if configuration.webhooks != nil, configuration.listen == nil {
            throw AgentError(
                "webhooks have receivers, and the agent listens nowhere", place: "webhooks",
                hint: "write an address as 'listen', or one for webhooks alone as 'webhooks.listen'")
        }
        await loop.begin()
        let commands = answerCommands(in: configuration.stateDirectory, by: loop, log)
        let (asked, ask) = AsyncStream.makeStream(of: Request.self)
        let signals = Signals([SIGTERM, SIGINT, SIGHUP]) { ask.yield($0 == SIGHUP ? .reload("SIGHUP") : .stop($0)) }
        let watching = Task {
            await watch.run(every: .seconds(5)) { ask.yield(.reload("a file changed")) }
        }
        for await request in asked {
            if case .stop(let signal) = request {
                // Who asks twice does not want to wait.
                signals.restore()
                log.notice("stopping", metadata: ["signal": "\(signal)"])
                break
            }
            if case .reload(let cause) = request {
                await reload(loop, access, certificate, because: cause, watch, log)
            }
        }
        watching.cancel()
        commands.cancel()
        let answering = await commands.value
        answering?.socket.remove()
        await loop.stop()
        await answering?.server.stop()
        for server in servers { await server.stop() }
        await tracing.shutdown(within: .seconds(3))
        log.notice("stopped")
    }

    /// Answers on the socket in the state directory, as soon as no other agent does: the one before may still be leaving. An agent
    /// without it is one that commands cannot reach, and works.
    private func answerCommands(
        in stateDirectory: String, by loop: AgentLoop, _ log: Logger
    ) -> Task<(socket: AgentSocket, server: AgentServer)?, Never> {
        Task {
            var isTold = false
            while true {
                do {
                    if let socket = try AgentSocket.bind(in: stateDirectory) {
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

    /// The variables that say where traces go.
    private static func environment() -> [String: String] {
        var variables: [String: String] = [:]
        var place = environ
        while let text = place.pointee {
            let line = String(cString: text)
            if line.hasPrefix("OTEL_"), let sign = line.firstIndex(of: "=") {
                variables[String(line[..<sign])] = String(line[line.index(after: sign)...])
            }
            place += 1
        }
        return variables
    }

    private enum Request: Sendable {
        case stop(Int32)
        /// Why.
        case reload(String)
    }

    /// A file with a fault keeps the configuration as it was.
    private func reload(
        _ loop: AgentLoop, _ access: APIAccess?, _ certificate: AgentCertificate, because cause: String,
        _ watch: FileWatch, _ log: Logger
    ) async {
        // Before it is read: what changes from now on is another reason.
        _ = await watch.look()
        do {
            let configuration = try resolved()
            let notes = try await loop.reload(configuration) { log.debug("\($0)") }
            access?.adopt(configuration.api)
            await certificate.adopt(configuration.tls, log)
            await watch.follow(configuration.files(configurationFile: repository.config))
            log.notice("reloaded", metadata: ["because": "\(cause)"])
            for note in notes { log.warning("\(note)") }
        } catch {
            await loop.reloadFailed()
            log.error(
                "not reloaded: the configuration stays as it was",
                metadata: ["because": "\(cause)", "error": "\(error)"])
        }
    }
}
