/// What a host takes of a pull request's description.
package struct PullRequestLimits: Sendable, Equatable {
    /// Bytes of a description, the marker with it.
    package let description: Int
    /// Updates that the marker names one by one; more are named by one digest over all.
    package let changes: Int

    package init(description: Int = 60_000, changes: Int = 2000) {
        self.description = description
        self.changes = changes
    }
}
