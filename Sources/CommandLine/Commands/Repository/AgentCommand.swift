import Agent
package import ArgumentParser
import Glibc
import Logging

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
        let agent = try await RunningAgent.start(configuration, health: health, tracing: tracing, log: log)
        let (asked, ask) = AsyncStream.makeStream(of: Request.self)
        await agent.begin { ask.yield(.election($0)) }
        let signals = Signals([SIGTERM, SIGINT, SIGHUP]) { ask.yield($0 == SIGHUP ? .reload("SIGHUP") : .stop($0)) }
        let watching = Task {
            await watch.run(every: .seconds(5)) { ask.yield(.reload("a file changed")) }
        }
        var failure: (any Error)?
        requests: for await request in asked {
            switch request {
            case .stop(let signal):
                // Who asks twice does not want to wait.
                signals.restore()
                log.notice("stopping", metadata: ["signal": "\(signal)"])
                break requests
            case .reload(let cause): await reload(agent, because: cause, watch, log)
            case .election(.leads(let permit)):
                do { try await agent.lead(by: permit) } catch {
                    failure = error
                    break requests
                }
            case .election(.lost(let error)):
                log.error("stopping: this replica leads no more", metadata: ["error": "\(error)"])
                failure = error
                break requests
            }
        }
        watching.cancel()
        await agent.stop()
        log.notice("stopped")
        if let failure { throw failure }
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
        case election(ReplicaElection.Event)
    }

    /// A file with a fault keeps the configuration as it was.
    private func reload(_ agent: RunningAgent, because cause: String, _ watch: FileWatch, _ log: Logger) async {
        // Before it is read: what changes from now on is another reason.
        _ = await watch.look()
        do {
            let configuration = try resolved()
            let notes = try await agent.reload(configuration)
            await watch.follow(configuration.files(configurationFile: repository.config))
            log.notice("reloaded", metadata: ["because": "\(cause)"])
            for note in notes { log.warning("\(note)") }
        } catch {
            await agent.reloadFailed()
            log.error(
                "not reloaded: the configuration stays as it was",
                metadata: ["because": "\(cause)", "error": "\(error)"])
        }
    }
}
