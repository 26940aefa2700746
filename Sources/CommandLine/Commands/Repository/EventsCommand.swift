import Agent
package import ArgumentParser
import Diagnostics
import OCI
import Text

/// `slipway events`: what happens in a running agent, while it happens.
package struct EventsCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Show what happens in the running agent, while it happens.",
        discussion: """
            Cycles, builds, steps, their output, pushed images, commits and failures, one a line, until it is interrupted. When \
            the connection breaks it goes on where it was; what the agent does not keep any more is told as missed.

            EXAMPLES
              slipway events --config /etc/slipway/agent.yaml
              slipway events --name shop --output json --server https://slipway.example.com --token-file token
            """)

    @Option(
        name: [.customLong("name"), .customLong("repo")],
        help: ArgumentHelp("Only this repository of the agent's.", valueName: "name"))
    var repository: String?

    @Option(help: "How events are printed: text, or json for an object a line.")
    var output: OutputFormat = .text

    @OptionGroup var state: StateOptions

    package init() {}

    package mutating func run() async throws {
        let (console, state, repository, output) = (Console(), state, repository, output)
        try await console.reporting {
            let agent = try await state.agent()
            let query = repository.map { "?repository=\(PercentEncoding.encode($0))" } ?? ""
            try await agent.events(
                query,
                take: { event in
                    switch output {
                    case .json:
                        if let bytes = try? CanonicalJSON.encode(event) {
                            console.result(bytes: bytes + [UInt8(ascii: "\n")])
                        }
                    case .text: for line in EventText.lines(event) { console.result(line) }
                    }
                })
        }
    }
}

/// An event as lines for people. What others wrote steers no terminal.
enum EventText {
    static func lines(_ event: AgentEvent) -> [String] {
        let place = [event.repository, event.pipeline].compactMap { $0?.isEmpty == false ? $0 : nil }
            .joined(separator: "/")
        let head =
            "\(StatusTable.time(event.time)) \(place.isEmpty ? "agent" : TerminalText.name(place)) \(event.kind.rawValue)"
        return details(event).map { $0.isEmpty ? head : "\(head) \(StatusTable.line($0, limit: 1_000))" }
    }

    private static func details(_ event: AgentEvent) -> [String] {
        switch event.kind {
        case .cycle: ["\(event.state ?? "") \(event.revision?.prefix(7) ?? "")"]
        case .build: ["\(event.build?.description ?? "") \(event.state ?? "")"]
        case .step: [event.step.map(step) ?? ""]
        case .output: (event.text ?? "").split(whereSeparator: \.isNewline).map(String.init)
        case .pushed: [((event.image?.references ?? []) + [event.image?.digest ?? ""]).joined(separator: " ")]
        case .commit:
            ["\(event.published?.commit.prefix(7) ?? "") \(event.published?.message.prefix { !$0.isNewline } ?? "")"]
        case .failure: [event.failure?.message ?? ""]
        case .missed: ["events that are not kept any more"]
        }
    }

    private static func step(_ step: BuildRecord.Step) -> String {
        let place = (step.stage.isEmpty ? "" : "\(step.stage) ") + "\(step.index)/\(step.count)"
        let end = step.isCached ? "cached" : step.seconds == nil ? "begins" : "made"
        return "\(place) \(end) \(step.text)"
    }
}
