import Webhooks

/// Which entries of a configuration follow which git repositories, by any way to write their addresses.
struct WebhookFollowers: Sendable {
    private struct Follower: Sendable {
        let name: String
        let branch: String
    }

    private var byAddress: [GitAddress: [Follower]] = [:]
    /// For senders that do not say their own host.
    private var byPath: [String: [Follower]] = [:]

    init(_ repositories: [AgentConfiguration.RepositoryConfiguration] = []) {
        for repository in repositories {
            let follower = Follower(name: repository.name, branch: repository.branch)
            for address in Set(([repository.url] + repository.aliases).compactMap { GitAddress($0) }) {
                byAddress[address, default: []].append(follower)
                byPath[address.path, default: []].append(follower)
            }
        }
    }

    /// The entries that a change concerns: those of its branch. Tags, and branches that are gone, concern none.
    func names(for event: GitEvent) -> Set<String> {
        guard !event.isDeleted else { return [] }
        var followers = event.urls.compactMap { GitAddress($0) }.flatMap { byAddress[$0] ?? [] }
        if let path = event.path { followers += byPath[path.lowercased()] ?? [] }
        return Set(
            followers.filter { follower in
                event.ref.map { $0 == "refs/heads/\(follower.branch)" || $0 == follower.branch } ?? true
            }.map(\.name))
    }
}
