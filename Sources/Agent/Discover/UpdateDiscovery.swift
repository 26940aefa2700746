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

    /// What other tools are told to do with the files that are followed.
    func rivals(in tree: RevisionTree, of followed: RevisionCache.Scan) async throws(AgentError) -> [CycleReport
        .Decision]
    {
        guard repository.updatesManifests else { return [] }
        let rivals = try await revisions.rivals(in: tree)
        if rivals.isEmpty { return [] }
        let files = Set(
            followed.targets.filter { $0.held == nil || $0.isMarker }.map(\.file) + followed.applications.map(\.file))
        let sorted = files.sorted()
        return rivals.compactMap { $0.decision(following: sorted) }
    }
}
