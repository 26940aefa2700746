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

    package static func builds(in bytes: [UInt8]) throws(YAMLError) -> [Pipeline] {
        guard let document = try YAMLValue.document(bytes, file: path) else { return [] }
        return try document.object { (object) throws(YAMLError) in
            try PipelineReader.pipelines(in: try object.required("builds"))
        }
    }
}
