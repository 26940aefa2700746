import Agent
package import ArgumentParser
import Diagnostics
import Git
import OCI

/// `slipway config`: about configuration files.
package struct ConfigCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Check configuration files.", subcommands: [ConfigCheckCommand.self])

    package init() {}
}

/// `slipway config check`: reads a file as the agent does, and says what it means and what would not work.
package struct ConfigCheckCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check a configuration file, and the files and addresses that it names.",
        discussion: """
            Reads the file as the agent does and looks at what it names: whether files can be read and hold what they should, \
            whether addresses are addresses, whether SSH hosts and keys can work, whether the agent would accept its own \
            signature. Prints all problems with file, line and column. The network is not used. Run it as the user that runs \
            the agent, where the agent runs, or elsewhere with --without-files.

            Exit codes: 0 no problem, or warnings only; 1 problems.

            EXAMPLES
              slipway config check --config /etc/slipway/agent.yaml
              slipway config check --config agent.yaml --without-files --output json
            """)

    @Option(help: ArgumentHelp("The file.", valueName: "file"))
    var config: String

    @Flag(name: .customLong("without-files"), help: "Do not look at the files that it names.")
    var withoutFiles = false

    @Option(help: "How the result is printed: text or json.")
    var output: OutputFormat = .text

    package init() {}

    package mutating func run() async throws {
        let outcome = try await ConfigurationCheck(looksAtFiles: !withoutFiles).check(config)
        let console = Console()
        switch output {
        case .json:
            let report = ConfigurationReport(outcome, file: config)
            console.result(String(decoding: try CanonicalJSON.encode(report), as: UTF8.self))
        case .text: show(outcome, on: console)
        }
        if !outcome.isValid { throw ExitCode.failure }
    }

    private func show(_ outcome: ConfigurationCheck.Outcome, on console: Console) {
        for problem in outcome.problems { console.alert("\(problem)") }
        guard outcome.isValid, let configuration = outcome.configuration else {
            let count = outcome.problems.count { $0.severity == .error }
            return console.alert("\(config): \(count) \(count == 1 ? "problem" : "problems")")
        }
        let count = configuration.repositories.count
        console.result("\(config): valid, \(count) \(count == 1 ? "repository" : "repositories")")
        for repository in configuration.repositories {
            let builds =
                repository.builds.isEmpty
                ? "builds as the repository says" : repository.builds.map(\.name).joined(separator: ", ")
            console.result("  \(repository.name): \(repository.branch), \(builds)")
        }
    }
}

/// `slipway config check --output json`.
struct ConfigurationReport: Encodable {
    struct Repository: Encodable {
        let name: String
        let url: String
        let branch: String
        let builds: [String]
    }

    struct Problem: Encodable {
        let code: String
        let severity: String
        let key: String
        let line: Int?
        let column: Int?
        let message: String
        let cause: String?
        let hint: String?
    }

    let file: String
    let valid: Bool
    let problems: [Problem]
    let repositories: [Repository]

    init(_ outcome: ConfigurationCheck.Outcome, file: String) {
        self.file = file
        valid = outcome.isValid
        problems = outcome.problems.map {
            Problem(
                code: $0.code.rawValue, severity: $0.severity.rawValue, key: $0.key, line: $0.location?.line,
                column: $0.location?.column, message: $0.summary, cause: $0.cause, hint: $0.hint)
        }
        repositories = (outcome.configuration?.repositories ?? []).map {
            Repository(
                name: $0.name, url: (try? RemoteURL($0.url))?.description ?? "", branch: $0.branch,
                builds: $0.builds.map(\.name))
        }
    }
}
