package import Builder
package import OCI

/// A name with a value, as `--build-arg`, `--label` and the like give them.
package struct BuildArgument: Hashable, Sendable {
    package let name: String
    package let value: String

    package init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// How a tag is made.
package enum TagNaming: Hashable, Sendable {
    /// As a kaniko manifest writes it. A numbered tag (`v3`) that is taken goes on to the next number of its series;
    /// `latest` and other names without digits move from image to image.
    case literal(String)
    /// From a template, never overwritten unless the pipeline is declared mutable.
    case template(TagTemplate)
}

/// Who declares a build, and hence what the declaration may name.
package protocol BuildScope: Sendable {
    /// Where the image goes.
    associatedtype Repository: Hashable & Sendable
    /// What a named context stands for.
    associatedtype Context: Sendable
}

/// The agent's configuration: all that the agent's user may read and write, also on its machine.
package enum OperatorScope: BuildScope {
    package typealias Repository = RepositoryLocation
    package typealias Context = PipelineContext
}

/// What a watched repository holds: registries, other servers, and the repository itself.
package enum RepositoryScope: BuildScope {
    package typealias Repository = RegistryRepository
    package typealias Context = RepositoryContext
}

/// A build as the cycle works with it.
package typealias Pipeline = BuildDeclaration<OperatorScope>

/// A build that a repository declares, in `.slipway.yaml` or by a kaniko Job.
package typealias RepositoryPipeline = BuildDeclaration<RepositoryScope>

/// A named context of a build, with whose word it is.
package enum PipelineContext: Sendable {
    case configured(NamedContext)
    case declared(RepositoryContext)

    var configured: NamedContext? { if case .configured(let context) = self { context } else { nil } }
}

/// One build that is asked for: what to build, and the names that the image gets.
package struct BuildDeclaration<Scope: BuildScope>: Sendable {
    package typealias Naming = TagNaming

    package struct Destination: Hashable, Sendable {
        package let repository: Scope.Repository
        package let naming: Naming

        package init(repository: Scope.Repository, naming: Naming) {
            self.repository = repository
            self.naming = naming
        }
    }

    /// For people: unique in its repository.
    package var name: String
    /// Where it is declared, for messages.
    package var origin: String
    /// Directory of the repository that is the build context; empty for its root.
    package var contextPath: String
    /// The Dockerfile's path in the repository.
    package var dockerfile: String
    package var target: String?
    package var arguments: [BuildArgument] = []
    package var labels: [BuildArgument] = []
    package var annotations: [BuildArgument] = []
    package var platform: Platform?
    /// Named contexts by name.
    package var contexts: [String: Scope.Context] = [:]
    package var destinations: [Destination]
    /// Whether tags that exist may be moved to a new image.
    package var isMutable = false
    /// Whether the same commit gives the same digest on any machine; `nil`: as the configuration says for all builds.
    package var isReproducible: Bool?
    /// Whether the context has the repository's `.git` in it; `nil`: as the build arguments say.
    package var keepsGitDirectory: Bool?
    /// Whether the context has the files of submodules in it, and what Git LFS keeps; `nil`: as the configuration says for all.
    package var fetchesSubmodules: Bool?
    package var fetchesLargeFiles: Bool?
    /// What the reader should know, of flags that have no effect and mappings that were made.
    package var notes: [String] = []
}

extension BuildDeclaration<OperatorScope> {
    /// The only way from what a repository declares to what the cycle builds.
    package init(admitting declaration: RepositoryPipeline) {
        self.init(
            name: declaration.name, origin: declaration.origin, contextPath: declaration.contextPath,
            dockerfile: declaration.dockerfile, target: declaration.target, arguments: declaration.arguments,
            labels: declaration.labels, annotations: declaration.annotations, platform: declaration.platform,
            contexts: declaration.contexts.mapValues { .declared($0) },
            destinations: declaration.destinations.map {
                Destination(repository: RepositoryLocation($0.repository), naming: $0.naming)
            }, isMutable: declaration.isMutable,
            isReproducible: declaration.isReproducible, keepsGitDirectory: declaration.keepsGitDirectory,
            fetchesSubmodules: declaration.fetchesSubmodules, fetchesLargeFiles: declaration.fetchesLargeFiles,
            notes: declaration.notes)
    }
}

/// Something that looked like a build and is none, with the reason.
package struct SkippedBuild: Sendable, Hashable {
    package let origin: String
    package let reason: String
    package let remedy: String?
    /// Whether somebody has to act: an error of the declaration rather than a build that is not ours.
    package let isError: Bool
    /// Whether it is a file that could not be looked at, so that nobody knows what it asks for.
    package let isPassedOver: Bool

    package init(
        origin: String, reason: String, remedy: String? = nil, isError: Bool = true, isPassedOver: Bool = false
    ) {
        self.origin = origin
        self.reason = reason
        self.remedy = remedy
        self.isError = isError
        self.isPassedOver = isPassedOver
    }
}
