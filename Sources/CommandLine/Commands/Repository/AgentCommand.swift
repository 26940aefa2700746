import Agent
package import ArgumentParser
import Glibc
import Logging
import Server

/// `slipway agent`: the daemon.
package struct AgentCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "agent",
        abstract: "Run as a daemon: watch the configured repositories and registries.",
        discussion: """
            Runs until SIGTERM or SIGINT; the cycle that is under way ends first. Answers /healthz, /readyz, /metrics and \
            /api/v1/status where `listen` says.

            EXAMPLES
              slipway agent --config /etc/slipway/agent.yaml
              slipway agent --repo https://git.example.com/acme/shop.git --branch main --listen 127.0.0.1:8080
            """)

    @OptionGroup var repository: RepositoryOptions

    @Option(help: ArgumentHelp("Where the status server listens.", valueName: "host:port"))
    var listen: String?

    @Option(name: .customLong("log-level"), help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel: String = "info"

    package init() {}

    package mutating func validate() throws {
        guard Logger.Level(rawValue: logLevel) != nil else {
            throw ValidationError("--log-level '\(logLevel)' is none of the levels")
        }
    }

    package mutating func run() async throws {
        var configuration = try repository.resolved()
        if let listen { configuration.listen = listen }
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        var logger = Logger(label: "slipway")
        logger.logLevel = Logger.Level(rawValue: logLevel) ?? .info
        let log = logger

        let health = AgentHealth(metrics: Metrics())
        let fleet = try await Fleet.open(configuration, sharesScans: true) { log.info("\($0)") }
        var server: StatusServer?
        if let address = configuration.listen {
            let started = try await StatusServer.start(address: address, health: health)
            log.info("listening", metadata: ["port": "\(started.port)"])
            server = started
        }
        let loop = AgentLoop(configuration: configuration, fleet: fleet, health: health, logger: logger)
        let work = Task { await loop.run() }
        let signals = Signals([SIGTERM, SIGINT]) { signal in
            log.notice("stopping", metadata: ["signal": "\(signal)"])
            work.cancel()
        }
        await work.value
        signals.cancel()
        await server?.stop()
        log.notice("stopped")
    }
}
