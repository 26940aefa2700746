package import Forge
package import Git
package import Template

extension AgentConfiguration {
    /// How git servers are reached, and how the agent's commits come to be and to the repository.
    package struct GitConfiguration: Sendable {
        package var authorName = "Slipway"
        package var authorEmail = "slipway@localhost"
        /// The author, where nothing else is said.
        package var committerName: String?
        package var committerEmail: String?
        package var username: String?
        package var passwordFile: String?
        package var tokenFile: String?
        /// The GitHub App whose tokens stand for git's own, and for those of the API.
        package var github: GitHubAppConfiguration?
        package var sshKey: String?
        package var sshPassphraseFile: String?
        package var usesSSHAgent = true
        package var knownHosts: String?
        package var caFile: String?
        /// A proxy for HTTP(S) remotes; without it what the environment says.
        package var proxy: String?
        /// How long a server may say nothing before it is given up.
        package var timeout = GitCredentials.usualSilenceLimit
        /// A file with `user:password` for the proxy.
        package var proxyCredentialsFile: String?
        package var commit = CommitSettings()
        package var verification = VerificationSettings()
        package var push = PushSettings()
        package var pullRequest: PullRequestSettings?
        /// `nil`: nobody is told of builds.
        package var status: StatusSettings?

        package init() {}

        /// The branch that the commits go to; `nil`: the one that is watched. Pull requests need another one.
        package var pushBranch: Template? {
            if let branch = push.branch { return branch }
            guard pullRequest != nil else { return nil }
            return try? Template(
                commit.grouping == .cycle ? "slipway/update" : "slipway/{{ .Image.Name }}", name: "branch")
        }
    }

    package struct GitHubAppConfiguration: Sendable, Hashable {
        /// The App's client ID, or its number.
        package var appID: String
        /// `nil`: the installation that has the repository.
        package var installationID: String?
        /// PEM.
        package var privateKeyFile: String
        /// The API's URL, where the repository's URL does not tell it.
        package var api: String?
        /// Plain HTTP.
        package var isInsecure = false
        /// Whether GitHub makes the commits, so that it signs them and shows them as verified.
        package var makesCommits = false
    }

    package struct CommitSettings: Sendable {
        package enum Grouping: String, Sendable, CaseIterable {
            /// All changes of a cycle in one commit.
            case cycle
            /// A commit for each image.
            case image
        }

        package var grouping = Grouping.cycle
        /// The message; `nil`: Flux v1's words.
        package var message: Template?
        /// `.Values` of the templates.
        package var values: [String: String] = [:]
        /// What tells CI servers to pass over the commit, say `[ci skip]`.
        package var ciSkip: String?
        /// Where notes as Flux v1 wrote them go, say `refs/notes/flux`.
        package var notes: String?
        package var signing: SigningKey?
        /// `.AutomationObject` of the templates, `NAMESPACE/NAME`.
        package var automation: String?
        /// The folder that files are named from in `.Changed.FileChanges`; empty for the top.
        package var fileRoot = ""
        /// Aliases of images by their names, where templates are Argo CD Image Updater's.
        package var aliases: [String: String]?

        package init() {}
    }

    package struct VerificationSettings: Sendable {
        package var mode = VerificationMode.none
        package var trust = SignatureTrust()

        package init() {}
    }

    package struct PushSettings: Sendable {
        /// The branch that the commits go to; `nil`: the one that is watched.
        package var branch: Template?

        package init() {}
    }

    package struct PullRequestSettings: Sendable {
        package var host: ForgeKind
        /// The API's URL and the project, where the repository's URL does not tell them.
        package var api: String?
        package var project: String?
        /// `nil`: git's own token.
        package var tokenFile: String?
        /// Plain HTTP.
        package var isInsecure = false
        /// `nil`: the first line of the commit's message, and what is changed.
        package var title: Template?
        package var body: Template?
        package var options = PullRequestOptions()
        /// Whether a comment says what is changed, and from which commits the images were made.
        package var hasComment = true

        package init(host: ForgeKind) { self.host = host }
    }
}
