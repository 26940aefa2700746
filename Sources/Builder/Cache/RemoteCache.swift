package import OCI

/// The step cache that machines share: a repository with one small image for each step, under the step's key as its tag.
package struct RemoteCache: Sendable {
    package var repository: RepositoryLocation
    /// Whether entries are looked for.
    package var isRead = true
    /// Whether layers that are missing there are pushed.
    package var isWritten = true
    /// Entries of this age, to the second, and older ones count for nothing.
    package var age: Duration?
    /// Seconds since 1970: what entries are dated by.
    package var now: Int64

    package init(repository: RepositoryLocation, now: Int64) {
        self.repository = repository
        self.now = now
    }
}

/// How a step's layer came about.
package struct StepOutcome: Sendable, Hashable {
    package enum Source: String, Sendable, Hashable {
        /// From this machine's store.
        case local
        /// From the repository that machines share.
        case remote
        /// The step was done.
        case made
    }

    package let stage: String
    /// From 1, within the stage.
    package let index: Int
    package let text: String
    package let source: Source
    /// Why it was not in the cache; `nil` for hits, or when nobody asked.
    package var reason: String?
}
