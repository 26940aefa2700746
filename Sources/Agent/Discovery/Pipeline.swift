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

/// One build that a repository asks for: what to build, and the names that the image gets.
package struct Pipeline: Sendable {
    /// How a tag is made.
    package enum Naming: Hashable, Sendable {
        /// As a kaniko manifest writes it. A numbered tag (`v3`) that is taken goes on to the next number of its series;
        /// `latest` and other names without digits move from image to image.
        case literal(String)
        /// From a template, never overwritten unless the pipeline is declared mutable.
        case template(TagTemplate)
    }

    package struct Destination: Hashable, Sendable {
        package let repository: RepositoryLocation
        package let naming: Naming

        package init(repository: RepositoryLocation, naming: Naming) {
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
    /// Named contexts by name, each a `docker-image://`, `oci-layout://` or directory text.
    package var contexts: [String: String] = [:]
    package var destinations: [Destination]
    /// Whether tags that exist may be moved to a new image.
    package var isMutable = false
    /// What the reader should know, of flags that have no effect and mappings that were made.
    package var notes: [String] = []
}

/// Something that looked like a build and is none, with the reason.
package struct SkippedBuild: Sendable, Hashable {
    package let origin: String
    package let reason: String
    package let remedy: String?
    /// Whether somebody has to act: an error of the declaration rather than a build that is not ours.
    package let isError: Bool

    package init(origin: String, reason: String, remedy: String? = nil, isError: Bool = true) {
        self.origin = origin
        self.reason = reason
        self.remedy = remedy
        self.isError = isError
    }
}
