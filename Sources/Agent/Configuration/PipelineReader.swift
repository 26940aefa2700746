import Diagnostics
import OCI
package import YAML

/// A scope whose declarations are written in YAML.
package protocol ReadableScope: BuildScope {
    static func repository(_ value: YAMLValue) throws(YAMLError) -> Repository
    static func context(_ value: YAMLValue) throws(YAMLError) -> Context
    /// The short form that people write.
    static func familiar(_ repository: Repository) -> String
}

/// Reads `builds:`, which has the same form in the agent's configuration and in a repository's own file; what may stand in
/// it is the scope's.
package enum PipelineReader<Scope: ReadableScope> {
    package typealias Declaration = BuildDeclaration<Scope>

    package static func pipelines(in value: YAMLValue) throws(YAMLError) -> [Declaration] {
        var names: Set<String> = []
        return try value.list { (item) throws(YAMLError) in
            let pipeline = try pipeline(item)
            if !names.insert(pipeline.name).inserted {
                throw item.error("a second build is called '\(pipeline.name)'", hint: "give each its own 'name'")
            }
            return pipeline
        }
    }

    private static func pipeline(_ value: YAMLValue) throws(YAMLError) -> Declaration {
        try value.object { (object) throws(YAMLError) in
            let context = try path(object.optional("context")) ?? ""
            let dockerfile = try path(object.optional("dockerfile"))
            let repositories = try object.required("destinations")
            let locations = try repositories.list { (item) throws(YAMLError) in try Scope.repository(item) }
            guard let first = locations.first else {
                throw repositories.error("there is no destination", hint: "name a repository, without a tag")
            }
            var tags = try object.optional("tags")?.list(template)
            if tags == nil { tags = [try defaultTemplate(value)] }
            guard let tags, !tags.isEmpty else { throw repositories.error("'tags' is empty") }
            var pipeline = Declaration(
                name: try object.optional("name")?.nonEmptyString() ?? Scope.familiar(first),
                origin: value.location.description, contextPath: context,
                dockerfile: dockerfile ?? (context.isEmpty ? "Dockerfile" : "\(context)/Dockerfile"),
                destinations: locations.flatMap { location in
                    tags.map { Declaration.Destination(repository: location, naming: .template($0)) }
                })
            pipeline.target = try object.optional("target")?.nonEmptyString()
            pipeline.arguments = try pairs(object.optional("args"))
            pipeline.labels = try pairs(object.optional("labels"))
            pipeline.annotations = try pairs(object.optional("annotations"))
            if let value = object.optional("platform") {
                let text = try value.nonEmptyString()
                do throws(OCIError) { pipeline.platform = try Platform(text) } catch {
                    throw value.error(error.summary, hint: error.hint)
                }
            }
            for (name, value) in try object.optional("contexts")?.entries() ?? [] {
                pipeline.contexts[name] = try Scope.context(value)
            }
            pipeline.isMutable = try object.optional("mutable")?.bool() ?? false
            pipeline.isReproducible = try object.optional("reproducible")?.bool()
            pipeline.fetchesSubmodules = try object.optional("submodules")?.bool()
            pipeline.fetchesLargeFiles = try object.optional("lfs")?.bool()
            if let value = object.optional("keepGitDir") {
                pipeline.keepsGitDirectory = try value.bool()
                guard context.isEmpty || pipeline.keepsGitDirectory == false else {
                    throw value.error(
                        "the context is the directory '\(context)', and .git lies in the repository's root",
                        hint: "leave out 'context', and write 'dockerfile: \(context)/Dockerfile'")
                }
            }
            return pipeline
        }
    }

    private static func pairs(_ value: YAMLValue?) throws(YAMLError) -> [BuildArgument] {
        try value?.stringEntries().map { BuildArgument(name: $0.key, value: $0.value) } ?? []
    }

    /// A path within the repository.
    private static func path(_ value: YAMLValue?) throws(YAMLError) -> String? {
        guard let value else { return nil }
        let text = try value.string()
        guard !text.hasPrefix("/"), !text.split(separator: "/").contains("..") else {
            throw value.error("'\(text)' leaves the repository", hint: "write a path from its root, without '..'")
        }
        return String(PodFiles.clean(text).dropFirst())
    }

    private static func template(_ value: YAMLValue) throws(YAMLError) -> TagTemplate {
        let text = try value.nonEmptyString()
        do { return try TagTemplate(text) } catch { throw value.error(error.reason) }
    }

    private static func defaultTemplate(_ value: YAMLValue) throws(YAMLError) -> TagTemplate {
        do { return try TagTemplate("{branch}-{commit.time}-{commit.short}") } catch {
            throw value.error(error.reason)
        }
    }
}
