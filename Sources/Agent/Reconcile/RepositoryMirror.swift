package import Git

/// The mirror with the agent's own way to name it and to read from it.
package struct RepositoryMirror: Sendable {
    package let git: Mirror
    /// The URL without user, password and query.
    package let displayURL: String

    /// - Parameter url: as the user wrote it; what could be a secret in it is not shown.
    package init(git: Mirror, url: String) {
        self.git = git
        displayURL = Self.mayHoldSecret(url) ? git.url.description : url
    }

    /// A URL for messages: nothing of it where something could be a secret.
    static func shown(_ url: String) -> String { mayHoldSecret(url) ? "(its URL may hold a secret)" : url }

    /// A query, a password, or over HTTP a user name, which may be a token. SSH's user is no secret.
    private static func mayHoldSecret(_ url: String) -> Bool {
        if url.contains("?") { return true }
        guard let at = url.lastIndex(of: "@") else { return false }
        guard url.hasPrefix("ssh://") else { return url.contains("://") }
        return url[..<at].dropFirst("ssh://".count).contains(":")
    }

    /// A whole file.
    ///
    /// - Throws: when it is larger than `limit` bytes.
    package func read(_ entry: TreeEntry, limit: Int = 64 << 20) async throws(AgentError) -> [UInt8] {
        do {
            return try await git.blob(entry.id, limit: limit)
        } catch {
            throw AgentError(
                error.summary, place: entry.path, cause: error.cause,
                hint: error.hint ?? "the mirror is made anew when it is removed from the state directory")
        }
    }
}
