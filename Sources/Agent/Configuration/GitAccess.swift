package import Forge
package import Git
import Glibc
import HTTP
import OCI

/// From what the configuration says of git to what the mirror needs.
package enum GitAccess {
    /// Credentials from files that the configuration names, else from the environment (`GIT_USERNAME`, `GIT_PASSWORD`,
    /// `GIT_TOKEN`).
    package static func credentials(
        _ git: AgentConfiguration.GitConfiguration
    ) throws(AgentError) -> GitCredentials {
        var credentials = GitCredentials()
        credentials.username = git.username ?? environment("GIT_USERNAME")
        credentials.password = try secret(git.passwordFile) ?? environment("GIT_PASSWORD")
        credentials.token = try secret(git.tokenFile) ?? environment("GIT_TOKEN")
        credentials.secretFile =
            git.tokenFile ?? (credentials.token == nil ? git.passwordFile : nil)
        credentials.sshKeyPath = git.sshKey ?? firstKey()
        credentials.sshKeyPassphrase = try secret(git.sshPassphraseFile)
        if let knownHosts = git.knownHosts { credentials.knownHostsPaths = [knownHosts] }
        credentials.caFile = git.caFile
        credentials.certificates = EnvironmentCertificates.certificates
        credentials.usesSSHAgent = git.usesSSHAgent
        credentials.silenceLimit = git.timeout
        if let proxy = git.proxy {
            credentials.proxy = GitProxy(url: proxy)
            if let pair = try secret(git.proxyCredentialsFile) {
                guard let colon = pair.firstIndex(of: ":") else {
                    throw AgentError(
                        "the file has no 'user:password' for the proxy", place: git.proxyCredentialsFile)
                }
                credentials.proxy?.username = String(pair[..<colon])
                credentials.proxy?.password = String(pair[pair.index(after: colon)...])
            }
        }
        return credentials
    }

    /// The same, with the user and the password that the repository's URL carries where nothing else is configured.
    static func credentials(
        _ git: AgentConfiguration.GitConfiguration, of url: String
    ) throws(AgentError) -> GitCredentials {
        var credentials = try credentials(git)
        guard credentials.token == nil, credentials.password == nil, let own = try? RemoteURL(url),
            let pair = own.basic(with: GitCredentials())
        else { return credentials }
        if own.kind == .https || own.kind == .http {
            (credentials.username, credentials.password) = (pair.username, pair.password)
        }
        return credentials
    }

    /// The credentials as they are now, with the token of a GitHub App where one is configured.
    static func current(
        _ git: AgentConfiguration.GitConfiguration, of url: String
    ) async throws(AgentError) -> GitCredentials {
        guard let file = git.github?.privateKeyFile, url.hasPrefix("http://") || url.hasPrefix("https://") else {
            return try credentials(git, of: url)
        }
        var credentials = try credentials(git)
        do throws(ForgeError) {
            credentials.username = "x-access-token"
            credentials.password = nil
            credentials.token = try await GitHubApps.shared.app(git, url: url)?.current()
            credentials.secretFile = file
            // What was fetched as the App stays the App's, whichever token it had.
            credentials.reader = file
        } catch {
            throw AgentError(error.summary, place: error.place, cause: error.cause, hint: error.hint)
        }
        return credentials
    }

    /// What makes commits that the code host signs, when that is asked for.
    static func hostCommits(
        _ git: AgentConfiguration.GitConfiguration, url: String
    ) throws(AgentError) -> HostCommits? {
        guard let settings = git.github, settings.makesCommits else { return nil }
        guard git.commit.signing == nil else {
            throw AgentError(
                "a commit is signed once: by GitHub, or by a key of the agent's", place: "git.github.verifiedCommits",
                hint: "leave 'verifiedCommits' or 'commit.signing' out")
        }
        do throws(ForgeError) {
            guard let app = try GitHubApps.shared.app(git, url: url) else { return nil }
            return HostCommits(
                GitHubCommits(
                    app.settings, app: app, http: client(of: app.settings.api, isInsecure: settings.isInsecure, git)))
        } catch {
            throw AgentError(error.summary, place: error.place, cause: error.cause, hint: error.hint)
        }
    }

    /// The code host's API, when pull requests are asked for.
    package static func forge(
        _ git: AgentConfiguration.GitConfiguration, url: String
    ) throws(AgentError) -> (any Forge)? {
        guard let settings = git.pullRequest else { return nil }
        do throws(ForgeError) {
            let project = try ForgeProject(
                kind: settings.host, api: settings.api, path: settings.project, repositoryURL: url)
            let http = client(of: project.api, isInsecure: settings.isInsecure, git)
            if settings.host == .github, settings.tokenFile == nil, let app = try GitHubApps.shared.app(git, url: url) {
                return project.forge(app: app, http: http)
            }
            let token = try token(settings.tokenFile, git, for: "pull requests", key: "pullRequest")
            return project.forge(token: token, tokenFile: settings.tokenFile ?? git.tokenFile, http: http)
        } catch {
            throw AgentError(
                error.summary, place: error.place ?? "git.pullRequest", cause: error.cause, hint: error.hint)
        }
    }

    /// What tells the code host of builds, when that is asked for.
    package static func statuses(
        _ git: AgentConfiguration.GitConfiguration, url: String
    ) throws(AgentError) -> CommitStatusReporter? {
        guard let settings = git.status else { return nil }
        do throws(ForgeError) {
            let project = try StatusProject(
                kind: settings.host, api: settings.api, path: settings.project, repositoryURL: url)
            let http = client(of: project.api, isInsecure: settings.isInsecure, git)
            let host: any CommitStatusHost
            if settings.host == .github, settings.tokenFile == nil, let app = try GitHubApps.shared.app(git, url: url) {
                host = project.host(app: app, hasChecks: settings.hasChecks, http: http)
            } else if settings.hasChecks {
                throw ForgeError(
                    credential: "check runs are made by a GitHub App alone",
                    hint: "set 'git.github', without 'status.tokenFile'; or leave 'status.checks' out")
            } else {
                let token = try token(settings.tokenFile, git, for: "statuses", key: "status")
                host = project.host(token: token, tokenFile: settings.tokenFile ?? git.tokenFile, http: http)
            }
            return CommitStatusReporter(host: host, pages: settings.pages)
        } catch {
            throw AgentError(
                error.summary, place: error.place ?? "git.status", cause: error.cause, hint: error.hint)
        }
    }

    /// - Parameters:
    ///   - purpose: what it is needed for, for messages.
    ///   - key: of the settings that may name a file of their own.
    private static func token(
        _ file: String?, _ git: AgentConfiguration.GitConfiguration, for purpose: String, key: String
    ) throws(ForgeError) -> String {
        let written: String?
        do throws(AgentError) { written = try secret(file ?? git.tokenFile) } catch {
            throw ForgeError(credential: error.summary, place: error.place, cause: error.cause, hint: error.hint)
        }
        guard let token = written ?? environment("GIT_TOKEN"), !token.isEmpty else {
            throw ForgeError(
                credential: "\(purpose) need a token for the code host's API",
                hint: "set '\(key).tokenFile', 'tokenFile' or GIT_TOKEN")
        }
        guard token.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw ForgeError(
                credential: "the token for the code host's API has blanks or other odd characters in it",
                place: file ?? git.tokenFile, hint: "the file must hold the token and nothing else")
        }
        return token
    }

    /// A client for a code host's API.
    static func client(
        of api: HTTPURL, isInsecure: Bool, _ git: AgentConfiguration.GitConfiguration
    ) -> HTTPClient {
        var http = HTTPConfiguration()
        http.userAgent = Version.userAgent
        // A token must not follow a redirection.
        http.maximumRedirects = 0
        if isInsecure { http.plainHTTP = .hosts([api.host]) }
        if let file = git.caFile { http.trust[api.host] = .init(certificateBundle: file) }
        return HTTPClient(http)
    }

    /// The folder of a repository's mirror: readable, and its own for each URL.
    package static func folder(for url: String) -> String {
        let digest = Digest.sha256(of: Array(url.utf8)).encoded.prefix(12)
        let last = url.split(separator: "/").last ?? "repository"
        let name = last.utf8.map { byte -> UInt8 in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): byte
            default: UInt8(ascii: "-")
            }
        }
        return String(decoding: name.prefix(60), as: UTF8.self) + "-" + digest
    }

    static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    static func firstKey() -> String? {
        guard let home = environment("HOME") else { return nil }
        return ["id_ed25519", "id_ecdsa", "id_rsa"].map { "\(home)/.ssh/\($0)" }.first { access($0, R_OK) == 0 }
    }

    /// A secret from a file, without the line end that editors leave.
    static func secret(_ path: String?) throws(AgentError) -> String? {
        guard let path else { return nil }
        let bytes = try TextFile.read(path, limit: 1 << 16)
        var text = String(decoding: bytes, as: UTF8.self)
        while text.hasSuffix("\n") || text.hasSuffix("\r") { text.removeLast() }
        return text
    }
}
