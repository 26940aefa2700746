/// A pull request (at GitLab a merge request).
package struct PullRequest: Sendable, Equatable {
    package enum State: String, Sendable {
        case open, closed, merged
    }

    /// The number that people and the API use.
    package var number: Int
    /// Where people look at it.
    package var url: String
    package var state: State
    package var title: String
    package var body: String
    /// The commit that the host knows as its head.
    package var head: String
    /// GitHub's name for it in GraphQL.
    var node: String?

    package init(number: Int, url: String, state: State, title: String, body: String, head: String) {
        self.init(number: number, url: url, state: state, title: title, body: body, head: head, node: nil)
    }

    init(number: Int, url: String, state: State, title: String, body: String, head: String, node: String?) {
        self.number = number
        self.url = url
        self.state = state
        self.title = title
        self.body = body
        self.head = head
        self.node = node
    }
}

/// A pull request as it is to be.
package struct PullRequestDraft: Sendable, Equatable {
    /// The branch with the change, and the one that it is for.
    package var head: String
    package var base: String
    package var title: String
    package var body: String
    package var options: PullRequestOptions

    package init(
        head: String, base: String, title: String, body: String, options: PullRequestOptions = PullRequestOptions()
    ) {
        self.head = head
        self.base = base
        self.title = title
        self.body = body
        self.options = options
    }
}

/// What is set once, when a pull request is opened: people may change it afterwards.
package struct PullRequestOptions: Sendable, Hashable {
    package enum MergeMethod: String, Sendable, CaseIterable {
        case merge, squash, rebase
    }

    package var labels: [String] = []
    /// User names; at GitHub and Gitea `org/team` is a team.
    package var reviewers: [String] = []
    package var assignees: [String] = []
    package var isDraft = false
    /// Let the host merge it once all its checks are passed.
    package var autoMerge: MergeMethod?

    package init() {}
}

/// What is done with pull requests, the same for each kind of host.
package protocol Forge: Sendable {
    /// The newest pull request from one branch to another, in whichever state.
    func find(head: String, base: String) async throws(ForgeError) -> PullRequest?
    /// Opens one. Labels, reviewers and the like that the host does not accept are told, not thrown: the pull request is there.
    func open(_ draft: PullRequestDraft) async throws(ForgeError) -> (pullRequest: PullRequest, warnings: [String])
    /// Sets title and description.
    func update(_ pullRequest: PullRequest, title: String, body: String) async throws(ForgeError)
    /// Closes it, with a comment that says why.
    func close(_ pullRequest: PullRequest, comment: String) async throws(ForgeError)
}
