import Agent
package import ArgumentParser
import OCI
import Registry

/// `slipway registry`: a registry's interface without curl.
package struct RegistryCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "registry",
        abstract: "Look into registries and OCI layouts; copy and delete images.",
        discussion: """
            An IMAGE is [HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST] or oci:/DIRECTORY[:TAG][@DIGEST]. Credentials come from \
            config.json as `docker login` writes it ($DOCKER_CONFIG, ~/.docker); docs/registry.md has the rest.
            """,
        subcommands: [
            RegistryCatalogCommand.self, RegistryTagsCommand.self, RegistryManifestCommand.self,
            RegistryDigestCommand.self, RegistryCopyCommand.self, RegistryDeleteCommand.self,
        ])

    package init() {}
}

/// What the commands about registries share: how registries are reached, and how the result is printed.
package struct RegistryClientOptions: ParsableArguments {
    @OptionGroup(title: "Registries") var registries: RegistryOptions

    @Option(
        help: ArgumentHelp("Take what is said about registries from the agent's configuration.", valueName: "file"))
    var config: String?

    @Option(help: "How the result is printed: text or json.")
    var output: OutputFormat = .text

    @Flag(help: "Print no progress.")
    var quiet = false

    package init() {}

    func access() throws -> RegistryAccess {
        var configuration =
            if let config { try ConfigurationFile.read(config) } else { AgentConfiguration(stateDirectory: "") }
        try registries.apply(to: &configuration)
        return Fleet.registry(configuration)
    }

    var console: Console { Console(isQuiet: quiet) }

    /// Prints a result: the value as JSON, or its lines, which the registry may have worded.
    func show(_ value: some Encodable, _ lines: [String]) throws {
        switch output {
        case .json: console.result(String(decoding: try CanonicalJSON.encode(value), as: UTF8.self))
        case .text: if !lines.isEmpty { console.result(lines.map(TerminalText.name).joined(separator: "\n")) }
        }
    }
}

extension ImageLocation {
    /// A name on the command line; a URL's scheme is not part of one.
    init(argument text: String) throws {
        for scheme in ["docker://", "https://"] where text.hasPrefix(scheme) {
            self = try ImageLocation(String(text.dropFirst(scheme.count)))
            return
        }
        try self.init(text)
    }
}
