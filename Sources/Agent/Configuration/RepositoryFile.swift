package import YAML

/// `.slipway.yaml` at the root of a repository: its builds, said by the repository itself.
///
///     builds:
///       - name: web
///         context: web
///         destinations: [registry.example.com/acme/web]
///         tags: ["v{build.number}"]
package enum RepositoryFile {
    package static let path = ".slipway.yaml"

    package static func builds(in bytes: [UInt8]) throws(YAMLError) -> [RepositoryPipeline] {
        guard let document = try YAMLValue.document(bytes, file: path) else { return [] }
        return try document.object { (object) throws(YAMLError) in
            for key in ConfigurationFile.keys where key != "builds" && object.contains(key) {
                throw (object.optional(key) ?? object.value).error(
                    "a repository may not set '\(key)'",
                    hint: "remove it: only the agent's configuration, which is not in a repository, sets it")
            }
            let builds = try object.required("builds")
            if builds.node.pairs != nil {
                throw builds.error(
                    "a repository may not set what holds for all builds",
                    hint: "write a list of builds; the agent's configuration sets 'builds.credentials'")
            }
            return try PipelineReader<RepositoryScope>.pipelines(in: builds)
        }
    }
}
