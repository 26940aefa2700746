package import HTTP

/// Which host shows statuses.
package enum StatusHostKind: String, Sendable, CaseIterable {
    case github, gitlab
    /// Gitea and Forgejo.
    case gitea
    /// Bitbucket Cloud, and Bitbucket Server and Data Center.
    case bitbucket
    case bitbucketServer = "bitbucket-server"
}

/// A repository at a host that shows statuses, and how its API is reached.
package struct StatusProject: Sendable {
    package let kind: StatusHostKind
    /// Where the API's paths begin.
    package let api: HTTPURL
    /// `owner/name`.
    let path: String

    /// - Parameters:
    ///   - api: `nil`: where that kind of host has it, after the host of the repository's URL.
    ///   - path: `nil`: the path of the repository's URL.
    ///   - repositoryURL: as git has it.
    package init(kind: StatusHostKind, api: String?, path: String?, repositoryURL: String) throws(ForgeError) {
        let location = ForgeProject.location(of: repositoryURL)
        var parts = (path ?? location?.path ?? "").split(separator: "/").map(String.init)
        // Bitbucket Server has its pages, git and the API below the same context, which the URL of git alone does not end.
        if kind == .bitbucketServer, let mark = parts.lastIndex(of: "scm") { parts.removeSubrange(...mark) }
        guard parts.count >= 2, !parts.contains(".."), kind == .gitlab || parts.count == 2 else {
            throw ForgeError(
                .invalid, "it is not known which project the statuses belong to",
                hint: "set 'status.project' to OWNER/NAME")
        }
        guard let text = api ?? location.map({ Self.api(of: kind, host: $0.host) }) else {
            throw ForgeError(.invalid, "it is not known where the API is", hint: "set 'status.api' to its URL")
        }
        self.kind = kind
        self.path = parts.joined(separator: "/")
        do throws(HTTPError) {
            self.api = try HTTPURL(text)
        } catch {
            throw ForgeError(.invalid, "'status.api' is not a URL", cause: error.cause)
        }
    }

    private static func api(of kind: StatusHostKind, host: String) -> String {
        switch kind {
        case .github: host == "github.com" ? "https://api.github.com" : "https://\(host)/api/v3"
        case .gitlab: "https://\(host)/api/v4"
        case .gitea: "https://\(host)/api/v1"
        case .bitbucket: "https://api.bitbucket.org/2.0"
        case .bitbucketServer: "https://\(host)/rest/api/latest"
        }
    }

    /// The client for this kind of host.
    ///
    /// - Parameters:
    ///   - token: with a colon, it is Bitbucket's `EMAIL:API-TOKEN`.
    ///   - tokenFile: where it is from, for messages.
    ///   - http: must allow plain HTTP where the API has it.
    package func host(
        token: String, tokenFile: String?, http: HTTPClient, pauses: ForgePauses = .shared
    ) -> any CommitStatusHost {
        let scheme: ForgeClient.Scheme =
            switch kind {
            case .github: .bearer
            case .gitlab: .privateToken
            case .gitea: .token
            case .bitbucket, .bitbucketServer: token.contains(":") ? .basic : .bearer
            }
        let client = ForgeClient(
            http: http, tokens: FixedToken(token), scheme: scheme, tokenFile: tokenFile, pauses: pauses)
        return StatusClient(project: self, client: client)
    }

    /// The client of a GitHub App.
    ///
    /// - Parameter hasChecks: whether there are check runs beside the statuses.
    package func host(
        app: GitHubApp, hasChecks: Bool, http: HTTPClient, pauses: ForgePauses = .shared
    ) -> any CommitStatusHost {
        let client = ForgeClient(http: http, tokens: app, scheme: .bearer, tokenFile: nil, pauses: pauses)
        let status = StatusClient(project: self, client: client)
        guard hasChecks else { return status }
        return StatusWithCheck(status: status, check: CheckRunClient(project: self, client: client))
    }
}
