import Agent
package import ArgumentParser
import Diagnostics
import ManifestUpdater
import OCI

/// `slipway migrate`: what a repository that used another tool needs.
package struct MigrateCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract:
            "Say what of Flux v1, Flux v2, Argo CD Image Updater and Keel works as it is, and print the configuration.",
        discussion: """
            Looks through the branch for annotations, markers and objects of the four tools, and for the flags of a fluxd. What needs \
            a person stands first: missing, then what works another way, then what works unchanged. Writes nothing; asks no registry.

            EXAMPLES
              slipway migrate --repo https://git.example.com/acme/shop.git
              slipway migrate --repo file:///srv/git/shop.git --output json
            """)

    @OptionGroup var options: RepositoryOptions

    @Option(name: .shortAndLong, help: "How the result is printed: text or json.")
    var output: OutputFormat = .text

    package init() {}

    package mutating func run() async throws {
        let console = Console()
        let configuration = try options.resolved()
        var migrations: [Migration] = []
        do {
            let agent = try await AgentClient.connect(configuration.stateDirectory)
            let fleet = try await Fleet.open(configuration, besideAgent: agent != nil) { _ in }
            for repository in configuration.repositories {
                migrations.append(try await Explainer(try await fleet.reconciler(for: repository)).migration())
            }
        } catch let error as any Diagnostic {
            console.alert("error: \(error)")
            throw ExitCode(1)
        }
        switch output {
        case .json: console.result(String(decoding: try CanonicalJSON.encode(migrations), as: UTF8.self))
        case .text: for migration in migrations { for line in Self.lines(migration) { console.result(line) } }
        }
    }

    private static func lines(_ migration: Migration) -> [String] {
        var lines: [String] = []
        for tool in MigrationFinding.Tool.allCases {
            let uses = migration.uses.filter { $0.tool == tool }
            if uses.isEmpty { continue }
            lines.append(tool.rawValue)
            lines += TextTable.lines(
                uses.map { use in
                    let rest = use.count > 1 ? " and \(use.count - 1) more" : ""
                    return ["  " + use.verdict.rawValue, use.feature, (use.places.first ?? "") + rest, use.note]
                })
        }
        if lines.isEmpty { lines.append("nothing in the repository speaks to Flux, Argo CD Image Updater or Keel") }
        return lines + ["", "# the agent's configuration", migration.configuration]
    }
}
