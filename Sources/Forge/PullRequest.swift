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
    /// The branch with the change.
    package var branch: String
    /// Whether the host merges it when its checks are passed; `nil` where it does not say so.
    package var isAutoMerge: Bool?
    /// The account that opened it, as the host names it among authors.
    package var author: String?
    /// GitHub's name for it in GraphQL.
    var node: String?

    package init(
        number: Int, url: String, state: State, title: String, body: String, head: String, branch: String,
        isAutoMerge: Bool? = nil
    ) {
        self.number = number
        self.url = url
        self.state = state
        self.title = title
        self.body = body
        self.head = head
        self.branch = branch
        self.isAutoMerge = isAutoMerge
    }

    /// Whether the host knows a commit as its head. Bitbucket Cloud gives its first digits.
    package func isAt(_ commit: String) -> Bool { head.utf8.count >= 7 && commit.hasPrefix(head) }
}

/// The pull requests that changed last.
package struct RecentPullRequests: Sendable {
    /// The newest change first.
    package var pulls: [PullRequest]
    /// Whether these are all that there are.
    package var isComplete: Bool

    package init(pulls: [PullRequest], isComplete: Bool) {
        self.pulls = pulls
        self.isComplete = isComplete
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
    /// User names; at GitHub and Gitea `org/team` is a team. Bitbucket Cloud: UUIDs and account IDs. Azure DevOps: e-mail addresses,
    /// `[PROJECT]\TEAM` and identifiers.
    package var reviewers: [String] = []
    package var assignees: [String] = []
    package var isDraft = false
    /// Let the host merge it once all its checks are passed.
    package var autoMerge: MergeMethod?

    package init() {}
}

/// What is done with pull requests, the same for each kind of host. Those of forks are passed over: whoever has one can give
/// its branches any name.
package protocol Forge: Sendable {
    /// What the host takes of descriptions.
    var limits: PullRequestLimits { get }
    /// The pull requests into a branch that changed last, in whichever state, from branches whose names begin with `prefix`: one
    /// request, which costs next to nothing when nothing changed.
    func recent(base: String, prefix: String) async throws(ForgeError) -> RecentPullRequests
    /// The pull requests from one branch to another, in whichever state, the newest first.
    func find(head: String, base: String) async throws(ForgeError) -> [PullRequest]
    /// Opens one. Labels, reviewers and the like that the host does not accept are told, not thrown: the pull request is there.
    func open(_ draft: PullRequestDraft) async throws(ForgeError) -> (pullRequest: PullRequest, warnings: [String])
    /// Sets the description, and the title unless it is to stay.
    func update(_ pullRequest: PullRequest, title: String?, body: String) async throws(ForgeError)
    /// Closes it, with a last description and a comment that says why.
    func close(_ pullRequest: PullRequest, body: String, comment: String) async throws(ForgeError)
    /// Sees to it that the host merges an open one once its checks are passed; merges it at once where there is nothing to wait
    /// for. What is merged is `pullRequest.head`.
    func ensureAutoMerge(
        _ pullRequest: PullRequest, _ method: PullRequestOptions.MergeMethod
    ) async throws(ForgeError) -> AutoMerge
    /// Whether that is turned on, where a pull request does not say so itself.
    func isAutoMergeOn(_ pullRequest: PullRequest) async throws(ForgeError) -> Bool
    /// A pull request with its whole description, of which a list may show the beginning: asked for before it is changed.
    func whole(_ pullRequest: PullRequest) async throws(ForgeError) -> PullRequest
    /// Its comments, the oldest first; of very many the first ones.
    func comments(on pullRequest: PullRequest) async throws(ForgeError) -> [PullRequestComment]
    func comment(_ body: String, on pullRequest: PullRequest) async throws(ForgeError)
    func edit(_ comment: PullRequestComment, to body: String, on pullRequest: PullRequest) async throws(ForgeError)
}

extension Forge {
    package var limits: PullRequestLimits { PullRequestLimits() }

    package func whole(_ pullRequest: PullRequest) async throws(ForgeError) -> PullRequest { pullRequest }

    package func isAutoMergeOn(_ pullRequest: PullRequest) async throws(ForgeError) -> Bool {
        pullRequest.isAutoMerge == true
    }
}
