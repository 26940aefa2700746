import Forge
import Synchronization

/// The GitHub Apps of this process: all that ask as one App for one repository share its token.
final class GitHubApps: Sendable {
    static let shared = GitHubApps()

    private struct Key: Hashable {
        let settings: GitHubAppSettings
        let app: AgentConfiguration.GitHubAppConfiguration
        let caFile: String?
    }

    private let known = Mutex<[Key: GitHubApp]>([:])

    /// - Parameter url: the repository's.
    /// - Returns: `nil` where none is configured.
    func app(_ git: AgentConfiguration.GitConfiguration, url: String) throws(ForgeError) -> GitHubApp? {
        guard let app = git.github else { return nil }
        let settings = try GitHubAppSettings(
            issuer: app.appID, installation: app.installationID, api: app.api, repositoryURL: url)
        return known.withLock { known in
            let key = Key(settings: settings, app: app, caFile: git.caFile)
            if let app = known[key] { return app }
            let file = app.privateKeyFile
            let made = GitHubApp(
                settings, http: GitAccess.client(of: settings.api, isInsecure: app.isInsecure, git)
            ) { () throws(ForgeError) in try Self.key(file) }
            known[key] = made
            return made
        }
    }

    private static func key(_ file: String) throws(ForgeError) -> String {
        do throws(AgentError) {
            return try GitAccess.secret(file) ?? ""
        } catch {
            throw ForgeError(credential: error.summary, place: error.place, cause: error.cause, hint: error.hint)
        }
    }
}
