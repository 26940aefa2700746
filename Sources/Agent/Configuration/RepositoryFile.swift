package import ManifestUpdater
package import YAML

/// `.slipway.yaml` at the root of a repository: its builds, and where custom resources have their images, said by the repository
/// itself.
///
///     builds:
///       - name: web
///         context: web
///         destinations: [registry.example.com/acme/web]
///         tags: ["v{build.number}"]
///     images:
///       - {kind: Task, paths: ["spec.steps[].image"]}
package struct RepositoryFile: Sendable {
    package static let path = ".slipway.yaml"

    /// `nil` where it says nothing of builds: they may be described elsewhere.
    package var builds: [RepositoryPipeline]?
    package var images: [ImagePathRule] = []

    package init(_ bytes: [UInt8]) throws(YAMLError) {
        guard let document = try YAMLValue.document(bytes, file: Self.path) else {
            builds = []
            return
        }
        (builds, images) = try document.object { (object) throws(YAMLError) in
            for key in ConfigurationFile.keys where key != "builds" && object.contains(key) {
                throw (object.optional(key) ?? object.value).error(
                    "a repository may not set '\(key)'",
                    hint: "remove it: only the agent's configuration, which is not in a repository, sets it")
            }
            let images = try object.optional("images").map(ImagePathReader.rules)
            let builds = images == nil ? try object.required("builds") : object.optional("builds")
            if let builds, builds.node.pairs != nil {
                throw builds.error(
                    "a repository may not set what holds for all builds",
                    hint: "write a list of builds; the agent's configuration sets 'builds.credentials'")
            }
            return (try builds.map(PipelineReader<RepositoryScope>.pipelines), images ?? [])
        }
    }

    package static func builds(in bytes: [UInt8]) throws(YAMLError) -> [RepositoryPipeline] {
        try RepositoryFile(bytes).builds ?? []
    }
}
