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
            Runs until SIGTERM or SIGINT; the cycle that is under way ends first. Answers /healthz, /readyz, /metrics and \
            /api/v1/status where `listen` says.

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

    package mutating func run() async throws {
        var configuration = try repository.resolved()
        if let listen { configuration.listen = listen }
        if let logFormat { configuration.log.format = logFormat }
        if let level = logLevel.flatMap({ Logger.Level(rawValue: $0) }) { configuration.log.level = level }
        let (settings, output) = (configuration.log, LogOutput())
        LoggingSystem.bootstrap { _ in AgentLogHandler(settings, output: output) }
        let logger = Logger(label: "slipway")
        let log = logger

        let health = AgentHealth(metrics: Metrics())
        let workshop = try await Workshop.open(configuration, sharesScans: true) { log.info("\($0)") }
        var server: StatusServer?
        if let address = configuration.listen {
            let started = try await StatusServer.start(address: address, health: health)
            log.info("listening", metadata: ["port": "\(started.port)"])
            server = started
        }
        let loop = AgentLoop(configuration: configuration, workshop: workshop, health: health, logger: logger)
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
