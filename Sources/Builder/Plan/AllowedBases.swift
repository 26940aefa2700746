package import OCI

/// The images that a build may start from and copy from.
package struct AllowedBases: Sendable, Hashable {
    package let patterns: [RepositoryPattern]
    /// Where the patterns are set, for messages: `repositories[shop].allowed.bases`.
    package let key: String

    package init(_ patterns: [RepositoryPattern], key: String) {
        self.patterns = patterns
        self.key = key
    }

    /// - Throws: `baseImage`, for an image that no pattern covers.
    package func admit(_ image: Reference, at place: String) throws(BuildError) {
        let repository = RegistryRepository(image)
        guard !patterns.contains(where: { $0.matches(repository) }) else { return }
        let list = patterns.isEmpty ? "none" : patterns.map(\.description).joined(separator: ", ")
        throw BuildError(
            .baseImage, "builds of this repository may not use the image \(image)", place: place,
            cause: "\(key) allows \(list)",
            hint: "use an allowed image, or add '\(repository)' to 'allowed.bases' in the agent's configuration")
    }
}
