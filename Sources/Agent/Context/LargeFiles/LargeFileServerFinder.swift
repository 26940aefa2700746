import Blocking
import Builder
import Diagnostics
import FoundationEssentials
import Git
import HTTP
import Synchronization

/// Finds the Git LFS server of a repository: beside the repository itself, or where its `.lfsconfig` says.
///
/// https://github.com/git-lfs/git-lfs/blob/main/docs/api/server-discovery.md
final class LargeFileServerFinder: Sendable {
    private let remote: String
    private let mirror: Mirror
    private let settings: TreeEntry?
    private let access: SourceAccess
    private let found = Mutex<LargeFileServer?>(nil)

    /// - Parameters:
    ///   - remote: the repository's URL.
    ///   - settings: the revision's `.lfsconfig`.
    init(remote: String, mirror: Mirror, settings: TreeEntry?, access: SourceAccess) {
        self.remote = remote
        self.mirror = mirror
        self.settings = settings
        self.access = access
    }

    /// The server; what was found is used again while what proves who asks is of use.
    func server() async throws(BuildError) -> LargeFileServer {
        if let known = found.withLock({ $0 }), known.isOfUse { return known }
        let server = try await find()
        found.withLock { $0 = server }
        return server
    }

    private func find() async throws(BuildError) -> LargeFileServer {
        let named = try await configured()
        // The API is at the repository's URL with a suffix; what `.lfsconfig` names is the API itself.
        let text = named ?? Self.api(of: remote)
        let url: RemoteURL
        do throws(GitError) { url = try RemoteURL(text) } catch {
            throw refused("its address cannot be used: \(error.summary)")
        }
        // Who may see a repository may see what Git LFS keeps of it.
        let place = text.hasSuffix("/info/lfs") ? String(text.dropLast("/info/lfs".utf8.count)) : text
        let credentials: GitCredentials
        do throws(GitError) {
            credentials = try await access.credentials(for: place, try RemoteURL(place))
        } catch {
            throw GitSources.failure("cannot reach the Git LFS server", error)
        }
        switch url.kind {
        case .https: return try web(url, credentials)
        // Only where the repository itself comes that way.
        case .http where named == nil: return try web(url, credentials)
        case .ssh: return try await shell(try sshURL(named ?? remote), credentials)
        case .http: throw refused("\(url) comes without encryption, which a repository may not ask for")
        case .local: throw refused("\(named == nil ? "the repository" : "it") is a path of this machine")
        case .git: throw refused("the git protocol leads to no Git LFS server")
        }
    }

    private func sshURL(_ text: String) throws(BuildError) -> RemoteURL {
        do throws(GitError) { return try RemoteURL(text) } catch {
            throw refused("its address cannot be used: \(error.summary)")
        }
    }

    private func refused(_ cause: String) -> BuildError {
        BuildError(
            .unsupported, "the repository has no Git LFS server that can be used", place: mirror.url.description,
            cause: cause, hint: "name the server's HTTPS address as lfs.url in .lfsconfig")
    }

    /// What `.lfsconfig` says (git-lfs-config(5)).
    private func configured() async throws(BuildError) -> String? {
        guard let settings else { return nil }
        do throws(GitError) {
            let text = GitConfigurationText(try await mirror.blob(settings.id, limit: 1 << 20))
            var url = text.last("lfsurl", of: "remote.origin") ?? text.last("url", of: "lfs")
            while url?.hasSuffix("/") == true { url?.removeLast() }
            return url.flatMap { $0.isEmpty ? nil : $0 }
        } catch {
            throw GitSources.failure("cannot read .lfsconfig", error)
        }
    }

    private static func api(of remote: String) -> String {
        var base = remote
        while base.hasSuffix("/") { base.removeLast() }
        return base + (base.hasSuffix(".git") ? "/info/lfs" : ".git/info/lfs")
    }

    // MARK: HTTPS

    private func web(_ url: RemoteURL, _ credentials: GitCredentials) throws(BuildError) -> LargeFileServer {
        var headers = HTTPHeaders()
        if let pair = url.basic(with: credentials) {
            headers["Authorization"] = HTTPHeaders.basic(pair.username, pair.password)
        }
        for header in credentials.headers {
            guard let colon = header.firstIndex(of: ":") else { continue }
            headers[String(header[..<colon])] =
                header[header.index(after: colon)...].trimmingPrefix { $0 == " " }
                .description
        }
        return try LargeFileServer(
            url.address, headers: headers, clients: LargeFileClients(credentials), ofUseFor: nil)
    }

    // MARK: SSH

    /// What `git-lfs-authenticate` answers.
    private struct Answer: Decodable {
        let href: String
        let header: [String: String]?
        let seconds: Double?

        enum CodingKeys: String, CodingKey {
            case href, header
            case seconds = "expires_in"
        }
    }

    private func shell(_ url: RemoteURL, _ credentials: GitCredentials) async throws(BuildError) -> LargeFileServer {
        let bytes: [UInt8]
        do throws(GitError) {
            bytes = try await runBlocking { () throws(GitError) in
                try LargeFileAuthentication.ask(url, credentials: credentials)
            }
        } catch {
            throw GitSources.failure("cannot reach the Git LFS server", access.explained(error, from: url))
        }
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(bytes)) else {
            throw refused("\(url) answers git-lfs-authenticate with something else than an address")
        }
        var headers = HTTPHeaders()
        for (name, value) in answer.header ?? [:] { headers[name] = value }
        return try LargeFileServer(
            answer.href, headers: headers, clients: LargeFileClients(credentials),
            ofUseFor: answer.seconds.flatMap { $0 > 0 ? .seconds(min($0, 86_400) - 30) : nil })
    }
}
