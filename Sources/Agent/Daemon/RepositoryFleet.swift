package import OCI
package import Registry

/// What the build cache takes of the disk, and may take; in bytes.
package struct CacheUse: Sendable {
    /// `nil` when it was not measured this time.
    package var size: Int64?
    package var limit: Int64?

    package init(size: Int64? = nil, limit: Int64? = nil) {
        self.size = size
        self.limit = limit
    }
}

/// What the agent's loop works with: a reconciler for each repository, and what their builds share. ``Fleet`` is the real one.
package protocol RepositoryFleet: Sendable {
    var builds: BuildServices { get }
    /// Where images are looked up.
    var registry: RegistryAccess { get }
    /// The reconciler of one entry; it stays for the next cycle.
    func reconciler(
        for repository: AgentConfiguration.RepositoryConfiguration
    ) async throws(AgentError) -> Reconciler
    /// What was read of a repository of images will do for nobody any more, and a tag of it may have moved.
    func expire(_ tag: String?, in location: RepositoryLocation) async
    /// Removes what earlier builds left and nobody used for long, now and then.
    ///
    /// - Returns: what the build cache takes of the disk, as far as it was measured.
    @discardableResult
    func tidy(now: Int64) async -> CacheUse
    /// The fleet of another configuration. Builds that are under way go on.
    ///
    /// - Throws: when the configuration cannot be used; then nothing is changed.
    func reloaded(
        _ configuration: AgentConfiguration, say: @escaping @Sendable (String) -> Void
    ) async throws(AgentError) -> any RepositoryFleet
}
