import Agent
package import ArgumentParser
import OCI

/// `slipway config`: about configuration files.
package struct ConfigCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Check configuration files.", subcommands: [ConfigCheckCommand.self])

    package init() {}
}

/// `slipway config check`: reads a file as the agent does, and says what it means.
package struct ConfigCheckCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Read a configuration file as the agent does; errors name file, line and column.",
        discussion: """
            EXAMPLES
              slipway config check --config /etc/slipway/agent.yaml
            """)

    @Option(help: ArgumentHelp("The file.", valueName: "file"))
    var config: String

    @Option(help: "How the result is printed: text or json.")
    var output: OutputFormat = .text

    package init() {}

    private struct Summary: Encodable {
        struct Repository: Encodable {
            let name: String
            let url: String
            let branch: String
            let builds: [String]
        }

        let file: String
        let repositories: [Repository]
    }

    package mutating func run() async throws {
        let configuration = try ConfigurationFile.read(config)
        let console = Console()
        switch output {
        case .json:
            let summary = Summary(
                file: config,
                repositories: configuration.repositories.map {
                    Summary.Repository(
                        name: $0.name, url: $0.url, branch: $0.branch, builds: $0.builds.map(\.name))
                })
            console.result(String(decoding: try CanonicalJSON.encode(summary), as: UTF8.self))
        case .text:
            console.result("\(config): valid, \(configuration.repositories.count) repositories")
            for repository in configuration.repositories {
                let builds =
                    repository.builds.isEmpty
                    ? "builds as the repository says" : repository.builds.map(\.name).joined(separator: ", ")
                console.result("  \(repository.name): \(repository.branch), \(builds)")
            }
        }
    }
}
