import Agent
package import ArgumentParser
import Diagnostics
import OCI

/// `slipway doctor`: what this machine or pod allows.
package struct DoctorCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Try what this machine or pod allows, and name the fields to change.",
        discussion: """
            Tries the isolation of RUN steps, the state directory, the kernel's features, and in a cluster the API server and \
            the agent's rights; with --config also the names, git repositories and registries of the configuration. Says which \
            isolation works, and which field of the pod to change for a stronger one. Nothing is built, committed or pushed. \
            Run it where the agent runs, as its user: kubectl exec deployment/slipway -- slipway doctor.

            Exit codes: 0 the agent can work here, warnings and notes or none; 1 something that it needs does not work.

            EXAMPLES
              slipway doctor
              slipway doctor --config /etc/slipway/agent.yaml
              slipway doctor --state-dir /var/lib/slipway --output json
            """)

    @Option(help: ArgumentHelp("The agent's configuration file: what it names is tried, too.", valueName: "file"))
    var config: String?

    @Option(
        name: .customLong("state-dir"),
        help: ArgumentHelp("The state directory; the configuration's by default.", valueName: "directory"))
    var stateDirectory: String?

    @Option(help: "How the result is printed: text or json.")
    var output: OutputFormat = .text

    package init() {}

    package mutating func run() async throws {
        let (console, config, stateDirectory, output) = (Console(), config, stateDirectory, output)
        try await console.reporting {
            let configuration = try config.map { try ConfigurationFile.read($0) }
            let directory =
                stateDirectory.map { TextFile.absolute($0) } ?? configuration?.stateDirectory
                ?? RepositoryOptions.defaultStateDirectory
            let report = await Doctor(stateDirectory: directory, configuration: configuration).examine()
            switch output {
            case .json:
                let document = DoctorDocument(report)
                console.result(String(decoding: try CanonicalJSON.encode(document), as: UTF8.self))
            case .text: for line in DoctorText(report).lines { console.result(line) }
            }
            if !report.isHealthy { throw ExitCode.failure }
        }
    }
}
