import Agent
package import ArgumentParser
import Diagnostics

/// `slipway pause`: switches a repository off.
package struct PauseCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Let the running agent leave a repository alone.",
        discussion: """
            No cycle of the repository begins any more: nothing is built, and nothing is committed, until 'slipway resume'. \
            A build that is under way ends. The pause outlives a restart of the agent. Edits that a person asks for (release, \
            lock, …) are still made.

            EXAMPLES
              slipway pause shop --config /etc/slipway/agent.yaml -m 'freeze until Monday'
              slipway pause shop --server https://slipway.example.com --token-file token
            """)

    @Argument(help: "The repository, by its name in the agent's configuration.")
    var repository: String

    @Option(name: [.customShort("m"), .long], help: ArgumentHelp("Why, for those who see it.", valueName: "text"))
    var message: String?

    @Option(help: ArgumentHelp("Who asks for it.", valueName: "name"))
    var user: String?

    @OptionGroup var state: StateOptions

    package init() {}

    package mutating func run() async throws {
        let (console, state, repository) = (Console(), state, repository)
        let request = PauseRequest(user: user, message: message)
        try await console.reporting {
            let answer = try await state.agent().pause(repository, request)
            console.result("\(repository): " + (answer.wasPaused ? "was paused already" : "paused"))
        }
    }
}

/// `slipway resume`: switches it on again.
package struct ResumeCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Let the running agent go on with a repository that was paused.",
        discussion: """
            The repository is looked at at once.

            EXAMPLES
              slipway resume shop --config /etc/slipway/agent.yaml
            """)

    @Argument(help: "The repository, by its name in the agent's configuration.")
    var repository: String

    @OptionGroup var state: StateOptions

    package init() {}

    package mutating func run() async throws {
        let (console, state, repository) = (Console(), state, repository)
        try await console.reporting {
            let answer = try await state.agent().resume(repository)
            console.result("\(repository): " + (answer.wasPaused ? "goes on" : "was not paused"))
        }
    }
}

/// `slipway stop`: stops a build.
package struct StopCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "Stop a build of the running agent.",
        discussion: """
            The same content is not built again until 'slipway retry', or until it changes. 'slipway builds' lists the names \
            of builds.

            EXAMPLES
              slipway stop 20261130082800-00001-7k3f9x --config /etc/slipway/agent.yaml
            """)

    @Argument(help: "The build.")
    var build: String

    @OptionGroup var state: StateOptions

    package init() {}

    package mutating func validate() throws {
        guard BuildID(build) != nil else {
            throw ValidationError("'\(build)' is not the name of a build; 'slipway builds' lists them")
        }
    }

    package mutating func run() async throws {
        let (console, state) = (Console(), state)
        guard let id = BuildID(build) else { return }
        try await console.reporting {
            let answer = try await state.agent().stop(id)
            console.result(
                "\(answer.repository)/\(answer.pipeline): stopped; 'slipway retry \(answer.repository) \(answer.pipeline)' builds it again"
            )
        }
    }
}
