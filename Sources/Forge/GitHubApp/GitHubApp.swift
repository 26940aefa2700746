package import HTTP
import Text

/// A GitHub App that is installed for a repository.
package struct GitHubAppSettings: Sendable, Hashable {
    /// Its client ID, or its number.
    package let issuer: String
    /// Which installation; `nil`: the one that has the repository.
    package let installation: String?
    /// Where the API's paths begin.
    package let api: HTTPURL
    /// `owner/name`: tokens are for it alone.
    package let repository: String

    /// - Parameters:
    ///   - api: `nil`: where GitHub has it, after the host of the repository's URL.
    ///   - repositoryURL: as git has it.
    package init(
        issuer: String, installation: String?, api: String?, repositoryURL: String
    ) throws(ForgeError) {
        do throws(ForgeError) {
            let project = try ForgeProject(kind: .github, api: api, path: nil, repositoryURL: repositoryURL)
            (self.api, repository) = (project.api, project.path)
        } catch {
            throw ForgeError(
                .invalid, "a GitHub App needs a repository at GitHub", cause: error.summary,
                hint: "set 'github.api' where GitHub Enterprise Server is not at the repository's host")
        }
        self.issuer = issuer
        self.installation = installation
    }
}

/// Gets the tokens of an App's installation (docs.github.com/rest/apps, *Create an installation access token for an app*). They
/// count for an hour; each is used until ten minutes before its end. Whoever asks while one is on its way waits for that one.
package actor GitHubApp: ForgeTokenSource {
    private struct Token {
        let text: String
        /// Seconds since 1970, by GitHub's clock.
        let begin: Int64
        let end: Int64
    }

    package nonisolated let settings: GitHubAppSettings
    private let http: HTTPClient
    private let pauses: ForgePauses
    private let readKey: @Sendable () throws(ForgeError) -> String
    private let now: @Sendable () -> Int64
    private var token: Token?
    private var flight: Task<Result<Token, ForgeError>, Never>?
    /// Seconds by which GitHub's clock is ahead of this machine's.
    private var skew: Int64 = 0

    private static let renewal: Int64 = 600
    /// Seconds before its end at which a token is not used any more, whatever happens.
    private static let last: Int64 = 60
    /// Seconds for which a token that is refused is kept.
    private static let trial: Int64 = 60
    /// Seconds that clocks may differ by, where that is not the reason for a refusal.
    private static let usualSkew: Int64 = 30

    /// - Parameters:
    ///   - http: must allow plain HTTP where the API has it.
    ///   - now: seconds since 1970.
    ///   - readKey: the private key as it is now, PEM: files of secrets are replaced while the agent runs.
    package init(
        _ settings: GitHubAppSettings, http: HTTPClient, pauses: ForgePauses = .shared,
        now: @escaping @Sendable () -> Int64 = SystemTime.now,
        readKey: @escaping @Sendable () throws(ForgeError) -> String
    ) {
        self.settings = settings
        self.http = http
        self.pauses = pauses
        self.now = now
        self.readKey = readKey
    }

    package func current() async throws(ForgeError) -> String {
        if let token, token.end - present > Self.renewal { return token.text }
        do throws(ForgeError) {
            return try await renewed().text
        } catch {
            // The one that there is still counts.
            let mayPass = [.unavailable, .rateLimited].contains(error.code)
            if mayPass, let token, token.end - present > Self.last { return token.text }
            throw error
        }
    }

    /// It may have been taken back: a new one shows whether the App may still do anything. One that is new itself is not exchanged.
    package func refused(_ text: String) async -> Bool {
        guard let known = token, known.text == text else { return token != nil }
        guard present - known.begin >= Self.trial else { return false }
        token = nil
        return true
    }

    private var present: Int64 { now() + skew }

    private func renewed() async throws(ForgeError) -> Token {
        let task: Task<Result<Token, ForgeError>, Never>
        if let flight {
            task = flight
        } else {
            task = Task {
                do throws(ForgeError) { return .success(try await self.fetch()) } catch { return .failure(error) }
            }
            flight = task
        }
        let result = await task.value
        if flight == task { flight = nil }
        let fresh = try result.get()
        token = fresh
        return fresh
    }

    private func fetch() async throws(ForgeError) -> Token {
        do throws(ForgeError) {
            return try await request()
        } catch {
            // A JSON Web Token that GitHub takes for one of another time.
            guard error.status == 401, let host = error.hostTime, abs(host - present) > Self.usualSkew else {
                throw error
            }
            skew = host - now()
            return try await request()
        }
    }

    private func request() async throws(ForgeError) -> Token {
        struct Answer: Decodable {
            let token: String
            let expires_at: String
        }
        let client = ForgeClient(
            http: http,
            tokens: FixedToken(try AppToken.make(issuer: settings.issuer, key: try readKey(), now: present)),
            scheme: .bearer, tokenFile: nil, pauses: pauses)
        let name = settings.repository.split(separator: "/").last.map(String.init) ?? ""
        let installation: String
        if let known = settings.installation { installation = known } else { installation = try await find(client) }
        let answer: Answer
        do throws(ForgeError) {
            answer = try await client.send(
                "POST", try url(["app", "installations", installation, "access_tokens"]),
                ["repositories": [name]], headers: GitHub.headers)
        } catch {
            throw explained(error)
        }
        guard let end = UTCDate.seconds(rfc3339: answer.expires_at) else {
            throw ForgeError(
                .unexpectedAnswer, "the App's token has no end that can be read", place: settings.api.description)
        }
        return Token(text: answer.token, begin: present, end: end)
    }

    /// The installation that has the repository.
    private func find(_ client: ForgeClient) async throws(ForgeError) -> String {
        struct Answer: Decodable { let id: Int }
        do throws(ForgeError) {
            let parts = settings.repository.split(separator: "/").map(String.init)
            let answer: Answer = try await client.get(
                try url(["repos"] + parts + ["installation"]), headers: GitHub.headers)
            return String(answer.id)
        } catch {
            throw explained(error)
        }
    }

    private func explained(_ error: ForgeError) -> ForgeError {
        let (summary, hint): (String, String)
        switch error.status {
        case 401:
            summary = "GitHub refuses the App's key"
            hint =
                "check 'github.appId', and that 'github.privateKeyFile' is a key of that App"
                + (error.hostTime.map { abs($0 - now()) > Self.usualSkew ? ", and this machine's clock" : "" } ?? "")
        case 404, 422:
            summary = "the GitHub App is not installed for \(settings.repository)"
            hint = "install it there, or add the repository to the installation"
        default: return error
        }
        return ForgeError(
            .authentication, summary, place: error.place, cause: error.cause, hint: hint, status: error.status,
            hostTime: error.hostTime)
    }

    private func url(_ parts: [String]) throws(ForgeError) -> HTTPURL {
        var text = settings.api.text
        while text.hasSuffix("/") { text.removeLast() }
        for part in parts { text += "/" + PercentEncoding.encode(part) }
        do throws(HTTPError) { return try HTTPURL(text) } catch { throw ForgeError(error) }
    }
}
