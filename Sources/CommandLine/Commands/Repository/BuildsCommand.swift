import Agent
package import ArgumentParser
import Diagnostics
import Glibc
import OCI
import Text

/// `slipway builds`: what was built, and how it ended.
package struct BuildsCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "builds",
        abstract: "List the builds of a repository, the newest first.",
        discussion: """
            Reads the history in the state directory, by way of the agent where one runs. Times are UTC.

            EXAMPLES
              slipway builds shop --config /etc/slipway/agent.yaml
              slipway builds shop --state-dir /var/lib/slipway --limit 1 --output json
            """)

    @Argument(help: "The repository, by its name in the configuration.")
    var repository: String

    @OptionGroup var state: StateOptions

    @Option(help: ArgumentHelp("How many, 200 at most.", valueName: "number"))
    var limit = 20

    @Option(help: "How the result is printed: text or json.")
    var output: OutputFormat = .text

    package init() {}

    package mutating func validate() throws {
        guard (1...200).contains(limit) else { throw ValidationError("--limit \(limit): write 1 to 200") }
    }

    package mutating func run() async throws {
        let (console, state, repository, limit, output) = (Console(), state, repository, limit, output)
        try await console.reporting {
            let builds =
                if let agent = try await state.running() {
                    try await agent.builds(of: repository, limit: limit)
                } else {
                    await (try await StateOptions.history(in: try state.directory())).builds(
                        of: repository, limit: limit)
                }
            switch output {
            case .json: console.result(String(decoding: try CanonicalJSON.encode(builds), as: UTF8.self))
            case .text:
                let rows = builds.map { build in
                    [
                        "\(build.id)", build.description.pipeline.pipeline, build.state.rawValue,
                        StatusTable.time(build.startedAt ?? build.queuedAt), StatusTable.time(build.endedAt),
                        build.failure.map { StatusTable.line($0.reason.summary, limit: 100) }
                            ?? build.description.names.joined(separator: " "),
                    ]
                }
                let header = ["BUILD", "PIPELINE", "STATE", "BEGUN", "ENDED", "RESULT"]
                for line in TextTable.lines([header] + rows) { console.result(line) }
            }
        }
    }
}

/// `slipway logs`: what a build said.
package struct LogsCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "logs",
        abstract: "Print the log of a build.",
        discussion: """
            Of a build that runs, what is there by now; with --follow, also what comes, to its end. 'slipway builds' lists the \
            names of builds. Colours are shown on a terminal only, and not where NO_COLOR is set.

            EXAMPLES
              slipway logs 20261130082800-00001-7k3f9x --config /etc/slipway/agent.yaml
              slipway logs -f 20261130082800-00001-7k3f9x --state-dir /var/lib/slipway
            """)

    @Argument(help: "The build.")
    var build: String

    @Flag(name: .shortAndLong, help: "Go on until the build is over.")
    var follow = false

    @OptionGroup var state: StateOptions

    package init() {}

    package mutating func validate() throws {
        guard BuildID(build) != nil else {
            throw ValidationError("'\(build)' is not the name of a build; 'slipway builds' lists them")
        }
    }

    package mutating func run() async throws {
        let (console, state, follow) = (Console(), state, follow)
        guard let id = BuildID(build) else { return }
        try await console.reporting {
            let source = try await LogSource(state)
            // A build says that there is more; without an agent nobody does, and it is looked for.
            let news = follow ? source.news(of: id) : nil
            defer { news?.cancel() }
            var signals = news?.signals.makeAsyncIterator()
            var start = 0
            while true {
                let part = try await source.part(of: id, from: start)
                console.result(bytes: Self.showsColours ? part.text : Self.plain(part.text))
                start = part.end
                guard part.hasMore, follow || !part.text.isEmpty else { return }
                if part.text.isEmpty, await signals?.next() == nil { try await Task.sleep(for: .milliseconds(300)) }
            }
        }
    }
}

extension LogsCommand {
    /// Whether standard output is a terminal that shows colours. https://no-color.org
    fileprivate static var showsColours: Bool {
        isatty(STDOUT_FILENO) != 0 && (OutputOptions.environment("TERM") ?? "dumb") != "dumb"
            && OutputOptions.environment("NO_COLOR") == nil
    }

    /// Whole lines, without their colours.
    fileprivate static func plain(_ text: [UInt8]) -> [UInt8] {
        text.contains(0x1b) ? Array(String(decoding: text, as: UTF8.self).withoutEscapes.utf8) : text
    }
}

/// Where logs are read: from the agent that runs on a state directory, or from the directory.
private enum LogSource {
    case agent(AgentClient)
    case history(HistoryStore, directory: String)

    init(_ state: StateOptions) async throws {
        if let agent = try await state.running() {
            self = .agent(agent)
        } else {
            let directory = try state.directory()
            self = .history(try await StateOptions.history(in: directory), directory: directory)
        }
    }

    /// Signals that the log may have more, until the agent tells nothing any more.
    struct News: Sendable {
        let signals: AsyncStream<Void>
        private let task: Task<Void, Never>

        init(_ agent: AgentClient, _ id: BuildID) {
            // One that nobody took yet is enough.
            let (signals, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
            self.signals = signals
            task = Task {
                try? await agent.events("?build=\(id)", opened: { signal.yield() }, take: { _ in signal.yield() })
                signal.finish()
            }
        }

        func cancel() { task.cancel() }
    }

    func news(of id: BuildID) -> News? {
        if case .agent(let agent) = self { News(agent, id) } else { nil }
    }

    func part(of id: BuildID, from start: Int) async throws -> (text: [UInt8], end: Int, hasMore: Bool) {
        switch self {
        case .agent(let agent): return try await agent.log(of: id, from: start)
        case .history(let history, let directory):
            guard let part = await history.log(id, from: start) else {
                throw AgentError("history has no build \(id)", place: directory)
            }
            return (part.text, part.end, part.hasMore)
        }
    }
}
