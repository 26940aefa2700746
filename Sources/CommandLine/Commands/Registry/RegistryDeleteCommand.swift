package import ArgumentParser
import OCI
import Registry

/// `slipway registry delete`: a tag or a manifest.
package struct RegistryDeleteCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete a tag, or a manifest by its digest.",
        discussion: """
            IMAGE:TAG takes the tag away. Where the registry cannot do that (docker-registry before version 3), the manifest \
            goes, unless other tags have it too; --all-tags allows that. IMAGE@DIGEST deletes the manifest with all its tags.

            Layers stay on the registry's disk until its own garbage collection runs; docs/registry.md says how.

            EXAMPLES
              slipway registry delete registry.example.com/acme/app:v1
              slipway registry delete registry.example.com/acme/app@sha256:9f86…0a08
            """)

    @Argument(help: ArgumentHelp("The image, with a tag or a digest.", valueName: "image"))
    var image: String

    @Flag(name: .customLong("all-tags"), help: "Delete the manifest with all its tags.")
    var allTags = false

    @OptionGroup var client: RegistryClientOptions

    package init() {}

    private struct Result: Encodable {
        let repository: String
        let digest: String
        let tags: [String]
        let manifestDeleted: Bool
    }

    package mutating func run() async throws {
        let location = try ImageLocation(argument: image)
        let selector: ManifestSelector
        if let digest = location.digest {
            selector = .digest(digest)
        } else if let tag = location.tag {
            selector = .tag(tag)
        } else {
            throw ValidationError("'\(image)' has neither a tag nor a digest: say which image to delete")
        }
        let repository = try client.access().repository(location.repository)
        let deletion = try await repository.delete(selector, allTags: allTags)
        var lines = deletion.tags.map { "deleted \(repository.location):\($0)" }
        if deletion.isManifestDeleted { lines.append("deleted \(repository.location)@\(deletion.digest)") }
        try client.show(
            Result(
                repository: "\(repository.location)", digest: "\(deletion.digest)", tags: deletion.tags,
                manifestDeleted: deletion.isManifestDeleted), lines)
    }
}
