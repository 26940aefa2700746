import Agent
package import ArgumentParser
import Diagnostics
import OCI
import Text

/// `slipway status`: how a running agent is doing.
package struct StatusCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show how the running agent and its repositories are doing.",
        discussion: """
            Asks the agent by the socket in its state directory, or at an address. A repository is starting, ok, building, \
            failing (it is tried again by itself), stalled (nothing happens before a commit, or 'slipway retry'), held (a person \
            took something back) or paused ('slipway pause'). Times are UTC.

            Exit codes: 0 an agent answered, 1 no agent runs there.

            EXAMPLES
              slipway status --config /etc/slipway/agent.yaml
              slipway status --config /etc/slipway/agent.yaml --name shop
              slipway status --state-dir /var/lib/slipway --output json
              slipway status --server https://slipway.example.com --token-file token
            """)

    @OptionGroup var state: StateOptions

    @Option(
        name: [.customLong("name"), .customLong("repo")],
        help: ArgumentHelp("Only this repository of the agent's.", valueName: "name"))
    var repository: String?

    @Option(help: "How the result is printed: text or json.")
    var output: OutputFormat = .text

    package init() {}

    package mutating func run() async throws {
        let (console, state, repository, output) = (Console(), state, repository, output)
        try await console.reporting {
            var overview = try await state.agent().overview()
            if let repository { overview = try overview.only(repository) }
            switch output {
            case .json: console.result(String(decoding: try CanonicalJSON.encode(overview), as: UTF8.self))
            case .text: for line in StatusTable(overview).lines { console.result(line) }
            }
        }
    }
}

/// The agent's state as a table, and below it what is wrong.
struct StatusTable {
    let overview: AgentOverview

    init(_ overview: AgentOverview) { self.overview = overview }

    var lines: [String] {
        let header = [
            "REPOSITORY", "STATE", "SINCE", "LAST SUCCESS", "NEXT ATTEMPT", "BUILDS", "LAST COMMIT",
        ]
        return TextTable.lines([header] + overview.repositories.map(row)) + overview.repositories.flatMap(problems)
    }

    private func row(_ status: RepositoryStatus) -> [String] {
        let builds = overview.queue.filter { $0.repository == status.repository }
            .map { "\($0.pipeline) (\($0.state.rawValue))" }.joined(separator: ", ")
        let commit = status.lastCommit.map { commit in
            "\(commit.commit.prefix(7)) \(Self.line(commit.message, limit: 60))"
        }
        return [
            status.repository, status.state.rawValue, Self.time(status.since), Self.time(status.lastSuccess),
            Self.time(status.nextAttempt), builds.isEmpty ? "-" : builds, commit ?? "-",
        ]
    }

    private func problems(of status: RepositoryStatus) -> [String] {
        if let pause = status.paused {
            var text = "paused" + (pause.user.map { " by \($0)" } ?? "") + " since \(Self.time(pause.since))"
            if let message = pause.message { text += ": \(message)" }
            return ["\(status.repository): \(Self.line(text, limit: 1_000)) ('slipway resume \(status.repository)')"]
        }
        return status.failures.map { failure in
            var next =
                failure.nextAt.map { "next attempt at \(Self.time($0))" }
                ?? (failure.disposition == .stalled
                    ? "waits for a commit"
                        + (failure.attempts == nil ? "" : ", or 'slipway retry \(status.repository)'")
                    : "tried again with the next cycle")
            if let since = failure.since { next += "; so since \(Self.time(since))" }
            return "\(status.repository): \(Self.line(failure.message, limit: 1_000)) (\(next))"
        }
            + (status.holds + status.passedOver).map { decision in
                "\(status.repository): \(Self.line("\(decision.subject): \(decision.reason)", limit: 1_000))"
            }
    }

    /// The first line of a text that a repository may have written.
    static func line(_ text: String, limit: Int) -> String {
        let line = TerminalText.lasting(String(text.prefix { !$0.isNewline }))
        return line.count > limit ? line.prefix(limit - 1) + "…" : line
    }

    static func time(_ seconds: Int64?) -> String { seconds.map { UTCDate(secondsSince1970: $0).rfc3339 } ?? "-" }
}
