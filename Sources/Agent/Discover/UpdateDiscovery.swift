import ManifestUpdater

/// Finds what a repository wants to have followed: annotated workloads, marked values, policies' objects, applications.
package struct UpdateDiscovery: Sendable {
    let repository: AgentConfiguration.RepositoryConfiguration
    let revisions: RevisionCache

    func followed(in tree: RevisionTree) async throws(AgentError) -> RevisionCache.Scan {
        guard repository.updatesManifests else { return RevisionCache.Scan() }
        return try await revisions.targets(
            in: tree, matching: repository.updatePaths, addresses: [repository.url] + repository.aliases)
    }
}
