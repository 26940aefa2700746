import Agent
package import ArgumentParser
import Diagnostics

/// `slipway retry`: lets what failed be tried again at once.
package struct RetryCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Build again what failed, without waiting for another commit.",
        discussion: """
            A build that fails by its own content (a step's exit code, an error in the Dockerfile) is not tried again before \
            its content changes; one that fails by the network, later and later. This forgets such failures. A running agent \
            goes to work at once; without one, the next 'slipway sync' does.

            EXAMPLES
              slipway retry shop --config /etc/slipway/agent.yaml
              slipway retry shop web --state-dir /var/lib/slipway
              slipway retry shop --server https://slipway.example.com --token-file token
            """)

    @Argument(help: "The repository, by its name in the configuration.")
    var repository: String

    @Argument(help: "The pipeline; all of the repository's by default.")
    var pipeline: String?

    @OptionGroup var state: StateOptions

    package init() {}

    package mutating func run() async throws {
        let (console, state, repository, pipeline) = (Console(), state, repository, pipeline)
        let name = [repository, pipeline].compactMap(\.self).joined(separator: "/")
        try await console.reporting {
            if let agent = try await state.running() {
                let answer = try await agent.retry(RetryRequest(repository: repository, pipeline: pipeline))
                return console.result(
                    answer.hadFailed
                        ? "\(name): the agent tries it again" : "\(name): nothing had failed; the agent looks at it now"
                )
            }
            let directory = try state.directory()
            let memory = await FailureMemory(directory: directory)
            guard await memory.forget(repository: repository, pipeline: pipeline) else {
                throw AgentError(
                    "no failure of '\(name)' is remembered", place: directory,
                    hint: "no agent runs there; name its state directory by --config or --state-dir")
            }
            if let problem = await memory.problem { throw problem }
            console.result("\(name): the next sync tries it again")
        }
    }
}
