import Text

/// A repository of a registry, which is never a directory of this machine: all that the content of a watched git repository
/// may name as a place for images. An image there is a `Reference`.
package struct RegistryRepository: Hashable, Sendable, CustomStringConvertible {
    /// May have a port.
    package let host: String
    /// The repository's full name (`library/nginx`).
    package let path: String

    package init(_ reference: Reference) {
        host = reference.registry
        path = reference.repository
    }

    /// Parses `[HOST/]PATH`, without tag and digest.
    package init(_ text: String) throws(OCIError) {
        let reference = try Reference(text)
        guard reference.tag == nil, reference.digest == nil else { throw RepositoryLocation.namesAnImage(text) }
        self.init(reference)
    }

    package var description: String { "\(host)/\(path)" }

    /// The short form that people write: without `docker.io/` and `library/`.
    package var familiar: String { familiarName(registry: host, repository: path) }
}

extension RepositoryLocation {
    /// The only way from what a repository may name to what the operator may.
    package init(_ repository: RegistryRepository) { self = .registry(host: repository.host, path: repository.path) }

    static func namesAnImage(_ text: String) -> OCIError {
        OCIError(
            .invalidReference, "'\(printable(text))' names an image where a repository is wanted",
            hint: "leave out the tag and the digest")
    }
}
