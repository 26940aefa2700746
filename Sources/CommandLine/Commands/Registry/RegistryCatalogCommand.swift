package import ArgumentParser
import OCI
import Registry

/// `slipway registry catalog`: the repositories of a registry.
package struct RegistryCatalogCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "catalog",
        abstract: "List the repositories of a registry, one a line.",
        discussion: """
            Only registries that offer a catalog can be listed: docker-registry and others of one's own do, Docker Hub and \
            most hosted ones do not.

            EXAMPLES
              slipway registry catalog registry.example.com
              slipway registry catalog localhost:5000 --insecure-registry localhost:5000 --output json
            """)

    @Argument(help: ArgumentHelp("The registry.", valueName: "host[:port]"))
    var host: String

    @OptionGroup var client: RegistryClientOptions

    package init() {}

    private struct Result: Encodable {
        let registry: String
        let repositories: [String]
    }

    package mutating func run() async throws {
        var name = host[...]
        if name.hasPrefix("https://") { name = name.dropFirst("https://".count) }
        while name.hasSuffix("/") { name = name.dropLast() }
        guard let registry = (try? Reference("\(name)/x"))?.registry, registry == name || registry == "docker.io" else {
            throw ValidationError("'\(host)' is not a registry's host: write HOST or HOST:PORT")
        }
        let repositories = try await client.access().catalog(host: registry)
        try client.show(Result(registry: registry, repositories: repositories), repositories)
    }
}

/// `slipway registry tags`: the tags of a repository.
package struct RegistryTagsCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "tags",
        abstract: "List the tags of a repository, one a line, in the registry's order.",
        discussion: """
            EXAMPLES
              slipway registry tags registry.example.com/acme/app
              slipway registry tags oci:/srv/images/app --output json
            """)

    @Argument(help: ArgumentHelp("The repository.", valueName: "repository"))
    var repository: String

    @OptionGroup var client: RegistryClientOptions

    package init() {}

    private struct Result: Encodable {
        let repository: String
        let tags: [String]
    }

    package mutating func run() async throws {
        let image = try ImageLocation(argument: repository)
        guard image.tag == nil, image.digest == nil else {
            throw ValidationError("'\(repository)' names an image: leave out the tag and the digest")
        }
        let place = try client.access().repository(image.repository)
        guard let tags = try await place.tagList() else {
            throw RegistryError(.notFound, "there is no such repository", place: "\(place.location)")
        }
        try client.show(Result(repository: "\(image.repository)", tags: tags), tags)
    }
}
