import Agent
package import ArgumentParser
import Diagnostics
import OCI

/// `slipway explain`: why a place says what it says.
package struct ExplainCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say who decides about an image, which tags were considered, and what would have to change.",
        discussion: """
            SUBJECT is FILE:LINE, an object like shop:deployment/web (without a namespace: in any), or an image. Reads git and the \
            registries, and changes nothing. With FILE:LINE, everything in the file is told when nothing is on that line. With --server \
            the agent there tells what its last cycle saw.

            Exit codes: 0 explained, 1 failed, 3 nothing of the kind is in the repository, 64 wrong usage.

            EXAMPLES
              slipway explain deploy/web.yaml:14 --repo https://git.example.com/acme/shop.git
              slipway explain shop:deployment/web --config /etc/slipway/agent.yaml --name shop
              slipway explain registry.example.com/acme/web --repo file:///srv/git/shop.git --output json
              slipway explain deploy/web.yaml:14 --name shop --server https://slipway.example.com --token-file token
            """)

    @Argument(help: ArgumentHelp("FILE:LINE, [NAMESPACE:]KIND/NAME, or an image.", valueName: "subject"))
    var subject: String

    @OptionGroup var options: RepositoryOptions

    @OptionGroup var server: ServerOptions

    @Option(name: .customLong("tags"), help: "How many tags are printed; JSON has up to a thousand.")
    var tagCount = 10

    @Option(name: .shortAndLong, help: "How the result is printed: text or json.")
    var output: OutputFormat = .text

    package init() {}

    package mutating func validate() throws {
        do { _ = try ExplainQuery(subject) } catch { throw ValidationError("\(error)") }
        guard tagCount >= 0 else { throw ValidationError("--tags: a number from 0") }
    }

    package mutating func run() async throws {
        let console = Console()
        let explanations: [Explanation]
        do {
            if let agent = try await server.connect() {
                explanations = try await asked(agent)
            } else {
                explanations = try await found()
            }
        } catch let error as any Diagnostic {
            console.alert("error: \(error)")
            throw ExitCode(1)
        }
        switch output {
        case .json: console.result(String(decoding: try CanonicalJSON.encode(explanations), as: UTF8.self))
        case .text:
            for explanation in explanations { for line in lines(explanation) { console.result(line) } }
        }
        if explanations.isEmpty {
            console.alert("nothing in the repository is, or runs, \(subject)")
            throw ExitCode(3)
        }
        if explanations.contains(where: { $0.state == .failed }) { throw ExitCode(1) }
    }

    /// What an agent at an address knows.
    private func asked(_ agent: AgentClient) async throws -> [Explanation] {
        var explanations: [Explanation] = []
        for name in try options.names(of: agent) { explanations += try await agent.explanations(of: name, subject) }
        return explanations
    }

    /// What git and the registries say now.
    private func found() async throws -> [Explanation] {
        let query = try ExplainQuery(subject)
        let configuration = try options.resolved()
        let agent = try await AgentClient.connect(configuration.stateDirectory)
        let fleet = try await Fleet.open(configuration, besideAgent: agent != nil) { _ in }
        var explanations: [Explanation] = []
        for repository in configuration.repositories {
            explanations += try await Explainer(try await fleet.reconciler(for: repository)).explain(query)
        }
        return explanations
    }

    private func lines(_ explanation: Explanation) -> [String] {
        var rows: [[String]] = []
        func add(_ name: String, _ text: String?) { if let text, !text.isEmpty { rows.append(["  " + name, text]) } }
        add("now", explanation.current)
        add("decided by", explanation.decidedBy ?? "nothing")
        add("policy", explanation.policy)
        add("outcome", explanation.chosen.map { "\($0): \(explanation.reason)" } ?? explanation.reason)
        add("to change", explanation.remedy)
        var lines = [explanation.subject] + TextTable.lines(rows)
        guard let repository = explanation.repository, explanation.tagCount > 0, tagCount > 0 else { return lines }
        let shown = explanation.tags.prefix(tagCount)
        let rest = explanation.tagCount - shown.count
        lines.append("  tags of \(repository)" + (rest > 0 ? ", \(shown.count) of \(explanation.tagCount)" : ""))
        lines += TextTable.lines(shown.map { ["    " + $0.tag, $0.outcome, $0.reason] })
        return lines
    }
}
