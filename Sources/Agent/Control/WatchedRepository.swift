import Git

/// An entry of a running agent's configuration, as far as others have to know it to find theirs.
package struct WatchedRepository: Codable, Sendable, Equatable {
    package let name: String
    /// Without what could be a secret.
    package let url: String
    package let branch: String

    package init(_ repository: AgentConfiguration.RepositoryConfiguration) {
        name = repository.name
        url = Self.shown(repository.url)
        branch = repository.branch
    }

    /// Whether another configuration's entry is about the same branch of the same repository.
    package func isSameBranch(as repository: AgentConfiguration.RepositoryConfiguration) -> Bool {
        branch == repository.branch && url == Self.shown(repository.url)
    }

    /// One spelling for `file:///srv/shop.git`, `/srv/shop.git` and `/srv/shop.git/`.
    private static func shown(_ url: String) -> String {
        var text = (try? RemoteURL(url))?.description ?? ShownURL.text(url)
        while text.count > 1, text.hasSuffix("/") { text.removeLast() }
        return text
    }
}

/// `/api/v1/repositories`.
package struct WatchedRepositories: Codable, Sendable {
    package let repositories: [WatchedRepository]

    package init(_ repositories: [WatchedRepository]) { self.repositories = repositories }
}

/// `/api/v1/repositories/NAME/builds`.
package struct BuildListing: Codable, Sendable {
    package let builds: [BuildRecord]

    package init(_ builds: [BuildRecord]) { self.builds = builds }
}
