package import Builder
package import Git
package import OCI

/// What one repository's builds may use of what the agent's credentials open. `nil`: all that they open.
package struct AllowedImages: Sendable, Hashable {
    /// Where images may be pushed.
    package var destinations: [RepositoryPattern]?
    /// Which images a Dockerfile, and the repository's own named contexts, may name.
    package var bases: [RepositoryPattern]?
    /// Other git repositories for which the repository's git credentials may be used.
    package var credentials: [RepositoryPlace] = []

    package init() {}

    /// - Parameter repository: the entry's name.
    package func bases(of repository: String) -> AllowedBases? {
        bases.map { AllowedBases($0, key: "repositories[\(repository)].allowed.bases") }
    }

    /// Why a build may not push where it wants to; `nil` when it may.
    package func problem(with pipeline: Pipeline, of repository: String) -> SkippedBuild? {
        guard let destinations else { return nil }
        let refused = pipeline.destinations.map(\.repository).first { place in
            !destinations.contains { $0.matches(place) }
        }
        guard let refused else { return nil }
        let list = destinations.isEmpty ? "nothing" : destinations.map(\.description).joined(separator: ", ")
        return SkippedBuild(
            origin: pipeline.origin,
            reason: "the build '\(pipeline.name)' may not push to \(refused): "
                + "repositories[\(repository)].allowed.destinations allows \(list)",
            remedy: "use an allowed destination, or add '\(refused)' to 'allowed.destinations' in the agent's "
                + "configuration")
    }
}
