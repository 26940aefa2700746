package import HTTP
import Text

/// Which API is spoken.
package enum ForgeKind: String, Sendable, CaseIterable {
    case github, gitlab
    /// Gitea and Forgejo.
    case gitea
    /// Bitbucket Cloud, and Bitbucket Data Center.
    case bitbucket
    case bitbucketServer = "bitbucket-server"
    /// Azure DevOps Services and Server.
    case azureDevOps = "azure-devops"
}

/// A repository at a code host, and how its API is reached.
package struct ForgeProject: Sendable {
    package let kind: ForgeKind
    /// Where the API's paths begin, without a last slash.
    package let api: HTTPURL
    /// `owner/name`; at GitLab there may be more groups; at Azure DevOps `project/repository`.
    package let path: String

    /// - Parameters:
    ///   - api: `nil`: where that kind of host has it, after the host of the repository's URL.
    ///   - path: `nil`: the path of the repository's URL.
    ///   - repositoryURL: as git has it: `https://…`, `ssh://…` or `user@host:path`.
    package init(kind: ForgeKind, api: String?, path: String?, repositoryURL: String) throws(ForgeError) {
        let location = Self.location(of: repositoryURL)
        if api == nil, let host = location?.host, let other = ForgePlace.kind(of: host), other != kind {
            throw ForgeError(
                .invalid, "'\(kind.rawValue)' is not the API of \(host)",
                hint: "set 'pullRequest.host' to '\(other.rawValue)'")
        }
        let place = location.flatMap { ForgePlace(kind, $0) }
        guard let path = path ?? place?.path, path.split(separator: "/").count >= 2, !path.contains("..") else {
            throw ForgeError(
                .invalid, "it is not known which project the pull requests belong to",
                hint: "set 'pullRequest.project' to \(kind == .azureDevOps ? "PROJECT/REPOSITORY" : "OWNER/NAME")")
        }
        let parts = path.split(separator: "/").map(String.init)
        if kind != .gitlab && parts.count != 2 {
            throw ForgeError(.invalid, "'\(path)' is not OWNER/NAME", hint: "set 'pullRequest.project'")
        }
        self.kind = kind
        self.path = parts.joined(separator: "/")
        guard var text = api ?? place?.api else {
            throw ForgeError(.invalid, "it is not known where the API is", hint: "set 'pullRequest.api' to its URL")
        }
        while text.hasSuffix("/") { text.removeLast() }
        do {
            self.api = try HTTPURL(text)
        } catch {
            throw ForgeError(.invalid, "'pullRequest.api' is not a URL", cause: error.cause)
        }
    }

    /// Host and path of a repository's URL; of an `ssh://` URL the port is git's, not the API's.
    static func location(of url: String) -> (host: String, path: String)? {
        var rest = url[...]
        var scheme = ""
        if let colon = rest.firstIndex(of: ":"), rest[colon...].hasPrefix("://") {
            scheme = rest[..<colon].lowercased()
            rest = rest[rest.index(colon, offsetBy: 3)...]
        } else if let colon = rest.firstIndex(of: ":"), !rest[..<colon].contains("/") {
            rest = rest[..<colon] + "/" + rest[rest.index(after: colon)...]
            scheme = "ssh"
        }
        guard scheme != "file", !scheme.isEmpty, let slash = rest.firstIndex(of: "/") else { return nil }
        var host = rest[..<slash]
        if let at = host.lastIndex(of: "@") { host = host[host.index(after: at)...] }
        if scheme != "https", scheme != "http", let colon = host.lastIndex(of: ":"), !host.hasSuffix("]") {
            host = host[..<colon]
        }
        var path = rest[slash...].prefix { $0 != "?" && $0 != "#" }
        while path.hasPrefix("/") { path.removeFirst() }
        while path.hasSuffix("/") { path.removeLast() }
        if path.hasSuffix(".git") { path.removeLast(4) }
        return host.isEmpty || path.isEmpty ? nil : (host.lowercased(), String(path))
    }

    /// The client for this kind of host.
    ///
    /// - Parameters:
    ///   - token: with a colon, it is Bitbucket's `EMAIL:API-TOKEN`.
    ///   - tokenFile: where it is from, for messages.
    ///   - http: must allow plain HTTP where the API has it.
    package func forge(
        token: String, tokenFile: String? = nil, http: HTTPClient, pauses: ForgePauses = .shared
    ) -> any Forge {
        let scheme: ForgeClient.Scheme =
            switch kind {
            case .github: .bearer
            case .gitlab: .privateToken
            case .gitea: .token
            case .bitbucket, .bitbucketServer: token.contains(":") ? .basic : .bearer
            // Tokens of Entra ID are JSON Web Tokens; a personal access token is a password without a user.
            case .azureDevOps: token.hasPrefix("eyJ") ? .bearer : .password
            }
        return forge(
            ForgeClient(
                http: http, tokens: FixedToken(token), scheme: scheme, tokenFile: tokenFile, pauses: pauses))
    }

    /// The client of a GitHub App.
    package func forge(app: GitHubApp, http: HTTPClient, pauses: ForgePauses = .shared) -> any Forge {
        forge(ForgeClient(http: http, tokens: app, scheme: .bearer, tokenFile: nil, pauses: pauses))
    }

    private func forge(_ client: ForgeClient) -> any Forge {
        switch kind {
        case .github: GitHub(project: self, client: client)
        case .gitlab: GitLab(project: self, client: client)
        case .gitea: Gitea(project: self, client: client)
        case .bitbucket: BitbucketCloud(project: self, client: client)
        case .bitbucketServer: BitbucketServer(project: self, client: client)
        case .azureDevOps: AzureDevOps(project: self, client: client)
        }
    }
}

extension ForgeProject {
    /// A URL of the API: the parts of the path and the values of the query are encoded.
    func url(_ parts: [String], _ query: [(String, String)] = []) throws(ForgeError) -> HTTPURL {
        try url(at: api, parts, query)
    }

    /// The same at another host of the same API.
    func url(
        at root: HTTPURL, _ parts: [String], _ query: [(String, String)] = []
    ) throws(ForgeError) -> HTTPURL {
        var text = root.text
        while text.hasSuffix("/") { text.removeLast() }
        for part in parts { text += "/" + PercentEncoding.encode(part) }
        if !query.isEmpty { text += "?" + PercentEncoding.form(query) }
        do {
            return try HTTPURL(text)
        } catch {
            throw ForgeError(error)
        }
    }
}
