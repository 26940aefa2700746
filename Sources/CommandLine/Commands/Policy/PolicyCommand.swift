package import ArgumentParser
import OCI
import RegistryPoller

/// `slipway policy`: what policies choose, without a cluster and without a repository.
package struct PolicyCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "policy",
        abstract: "Try policies: which tag would be chosen, and why. Change those of workloads.",
        discussion: """
            Without a word behind it, 'slipway policy' is 'slipway policy set', which takes fluxctl's flags.

            EXAMPLES
              slipway policy --repo https://git.example.com/acme/shop.git -w shop:deployment/web --automate --tag 'app=1.*'
              printf '1.4.9\\n1.10.0\\n' | slipway policy select --semver '^1'
            """,
        subcommands: [PolicySelectCommand.self, PolicyCheckSemverCommand.self, PolicySetCommand.self],
        defaultSubcommand: PolicySetCommand.self)

    package init() {}
}

extension PolicyDialect: ExpressibleByArgument {}

/// `slipway policy check-semver`: whether a version is in a range.
package struct PolicyCheckSemverCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "check-semver",
        abstract: "Say whether a version is in a range.",
        discussion: """
            Prints true and exits with 0, or prints false and exits with 3, the reason on standard error. Ranges are those of \
            Masterminds' semver library: = != > < >= <= ~ ^, x and * in place of numbers, 'A - B', conditions joined by \
            blanks or commas, alternatives by ||. Pre-releases are in a range only when it names one: '>=1.0.0-0'.

            EXAMPLES
              slipway policy check-semver '~1.4' 1.4.9
              slipway policy check-semver '>=1.0.0-0 <2' v1.3.0-rc.1 --output json
              slipway policy check-semver '*' 1.2 --dialect flux2      # false: Flux v2 wants three parts
            """)

    @Argument(help: ArgumentHelp("The range.", valueName: "range"))
    var range: String

    @Argument(help: ArgumentHelp("The version.", valueName: "version"))
    var version: String

    @Option(help: ArgumentHelp("Whose reading of versions: slipway, flux1, flux2, argocd or keel.", valueName: "name"))
    var dialect: PolicyDialect = .slipway

    @Option(help: "How the result is printed: text or json.")
    var output: OutputFormat = .text

    package init() {}

    private struct Result: Encodable {
        let range: String
        let version: String
        let matches: Bool
        let reason: String
    }

    package mutating func run() async throws {
        let parsed: VersionRange
        do {
            parsed = try VersionRange(range)
        } catch {
            throw ValidationError("\(error)")
        }
        let refusal = parsed.refusal(of: version, dialect: dialect)
        let console = Console()
        let reason = refusal ?? "in '\(range)'"
        switch output {
        case .json:
            let result = Result(range: range, version: version, matches: refusal == nil, reason: reason)
            console.result(String(decoding: try CanonicalJSON.encode(result), as: UTF8.self))
        case .text:
            console.result(refusal == nil ? "true" : "false")
        }
        if let refusal {
            console.alert("\(version): \(refusal)")
            throw ExitCode(3)
        }
    }
}
