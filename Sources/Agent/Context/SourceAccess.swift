package import Git

/// How the builds of one repository reach others: what proves who asks, and where that may be shown.
package struct SourceAccess: Sendable {
    /// Reads the credentials from where they are now: files of secrets are replaced while the agent runs.
    private let read: @Sendable () async throws(AgentError) -> GitCredentials
    private let scope: CredentialScope

    package init(
        _ read: @escaping @Sendable () async throws(AgentError) -> GitCredentials, within scope: CredentialScope
    ) {
        self.read = read
        self.scope = scope
    }

    /// What a remote may be shown.
    ///
    /// - Parameter remote: the URL as it is written, which says whether it is plain HTTP.
    func credentials(for remote: String, _ url: RemoteURL) async throws(GitError) -> GitCredentials {
        let credentials: GitCredentials
        do throws(AgentError) {
            credentials = try await read()
        } catch {
            throw GitError(
                .authentication, error.summary, place: error.place, cause: error.cause,
                hint: error.hint ?? "the file must exist and be readable for this user")
        }
        return scope.limited(credentials, to: remote, url)
    }

    /// Says of a server's refusal that credentials were kept from it, where they were.
    func explained(_ error: GitError, from url: RemoteURL) -> GitError {
        guard error.code == .authentication, scope.refuses(url) else { return error }
        return GitError(
            error.code, error.summary, place: error.place,
            cause: "the agent's git credentials are for the repository that it watches, and this is another one",
            hint: "grant it by 'builds.credentials' or 'allowed.credentials' in the agent's configuration")
    }
}
