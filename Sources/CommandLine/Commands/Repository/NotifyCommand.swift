import Agent
package import ArgumentParser
import OCI

/// `slipway notify`: tries a channel of notifications.
package struct NotifyCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "notify",
        abstract: "Send a test message by a notification channel, and show what its host answers.",
        discussion: """
            Reads the configuration and the files that the channel names, and sends one message, once; the agent need not run. \
            Run it as the user that runs the agent, where the agent runs.

            Exit codes: 0 the host took the message; 1 it did not.

            EXAMPLES
              slipway notify --test ops --config /etc/slipway/agent.yaml
              slipway notify --test ops --config /etc/slipway/agent.yaml --output json
            """)

    @Option(help: ArgumentHelp("The channel, by its name in the configuration.", valueName: "channel"))
    var test: String

    @Option(help: ArgumentHelp("The agent's configuration file.", valueName: "file"))
    var config: String

    @Option(help: "How the result is printed: text or json.")
    var output: OutputFormat = .text

    package init() {}

    package mutating func run() async throws {
        let (console, channel, config, output) = (Console(), test, config, output)
        try await console.reporting {
            let result = try await NotificationTest.send(by: channel, of: try ConfigurationFile.read(config))
            switch output {
            case .json: console.result(String(decoding: try CanonicalJSON.encode(result), as: UTF8.self))
            case .text: Self.show(result, on: console)
            }
            if !result.delivered { throw ExitCode.failure }
        }
    }

    private static func show(_ result: NotificationTest, on console: Console) {
        let status = result.status.map { " \($0)" } ?? ""
        let answer = result.answer.flatMap { $0.isEmpty ? nil : " '\($0)'" } ?? ""
        let host = result.host.map { "\($0): " } ?? ""
        guard result.delivered else {
            console.alert(
                "error: \(host)\(result.error ?? "not delivered")" + (result.hint.map { "\n  hint: \($0)" } ?? ""))
            return
        }
        console.result("\(result.channel): delivered; \(result.host ?? "the host") answered\(status)\(answer)")
    }
}
