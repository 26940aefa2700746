package import Builder
import Diagnostics
import FileSystem
import FoundationEssentials
package import Git
import HTTP
import Synchronization
import Text

/// Gets files over HTTP and revisions over git, for ADD and for named contexts.
package final class RemoteFetcher: RemoteSourceFetcher {
    private let client: HTTPClient
    package let git: GitSources

    /// - Parameters:
    ///   - credentials: for git; used within the scope only. A Dockerfile may name any host.
    package convenience init(stateDirectory: String, credentials: GitCredentials, scope: CredentialScope) {
        var configuration = HTTPConfiguration()
        configuration.userAgent = Version.userAgent
        configuration.plainHTTP = .everywhere
        self.init(
            client: HTTPClient(configuration),
            git: GitSources(
                mirrors: SourceMirrors(folder: stateDirectory + "/git-sources"),
                contentFolder: stateDirectory + "/content", access: SourceAccess({ credentials }, within: scope)))
    }

    private init(client: HTTPClient, git: GitSources) {
        self.client = client
        self.git = git
    }

    /// Another builder's fetcher, with its own credentials, over the same connections and open mirrors.
    package func with(_ access: SourceAccess) -> RemoteFetcher {
        RemoteFetcher(
            client: client,
            git: GitSources(mirrors: git.mirrors, contentFolder: git.contentFolder, access: access))
    }

    /// The same for credentials that do not change.
    package func with(credentials: GitCredentials, scope: CredentialScope) -> RemoteFetcher {
        with(SourceAccess({ credentials }, within: scope))
    }

    /// Removes the mirrors of other people's repositories that no build used for long.
    func collect(olderThan age: Duration, now: Int64) async { await git.mirrors.collect(olderThan: age, now: now) }

    package func fetch(
        _ request: RemoteFileRequest, into sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError) -> RemoteFileAnswer {
        try await fetch(request, hint: { "give the secret HTTP_AUTH_TOKEN_\($0), by --secret" }, into: sink)
    }

    /// Streams a file whose URL is the user's own, and may have a user and a password in it.
    package func fetch(
        _ address: String, limit: Int64,
        into sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError) {
        let (url, username, password) = WebUser.split(address)
        let request = RemoteFileRequest(
            url: url, authorization: username.map { HTTPHeaders.basic($0, password ?? "") }, sizeLimit: limit)
        _ = try await fetch(request, hint: { "write https://USER:PASSWORD@\($0)/…" }, into: sink)
    }

    private func fetch(
        _ request: RemoteFileRequest, hint: (_ host: String) -> String,
        into sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    ) async throws(BuildError) -> RemoteFileAnswer {
        let receiver = SinkReceiver(limit: request.sizeLimit, sink)
        let shown: String
        var isGone = false
        do throws(HTTPError) {
            let url = try HTTPURL(request.url)
            shown = url.description
            var message = HTTPRequest("GET", url)
            if let authorization = request.authorization { message.headers["Authorization"] = authorization }
            if let etag = request.etag { message.headers["If-None-Match"] = etag }
            let response = try await client.send(message, into: receiver)
            if response.status == 304, request.etag != nil {
                return RemoteFileAnswer(isUnchanged: true, etag: request.etag)
            }
            if response.head.isSuccess {
                return RemoteFileAnswer(
                    etag: response.headers["ETag"],
                    lastModified: response.headers["Last-Modified"].flatMap(UTCDate.seconds(http:)))
            }
            isGone = response.status == 404 || response.status == 410
            throw HTTPError(
                .other, "the server answers with status \(response.status)", place: shown,
                hint: response.status == 401 || response.status == 403 ? hint(url.host) : nil)
        } catch {
            if let failure = receiver.failure { throw failure }
            var failure = BuildError(
                error.code == .cancelled ? .cancelled : .missingSource,
                "cannot fetch \(RemoteFetcher.shown(request.url))", from: Self.advised(error))
            // A wrong URL, or a file that is not there, is the Dockerfile's. All else is the other machine's, or the way to it.
            failure.isTransient = !isGone && error.code != .invalidRequest
            throw failure
        }
    }

    private static func advised(_ error: HTTPError) -> HTTPError {
        guard error.code == .certificate, error.hint == nil else { return error }
        return HTTPError(
            error.code, error.summary, place: error.place, cause: error.cause,
            hint: "name the PEM file of a private certificate authority by SSL_CERT_FILE")
    }

    /// For messages: without what may be secret.
    package static func shown(_ url: String) -> String {
        (try? HTTPURL(WebUser.split(url).url).description) ?? "the file"
    }

    package func checkOut(_ request: GitTreeRequest) async throws(BuildError) -> GitTree {
        try await git.checkOut(request)
    }
}

/// Hands the body on, up to a limit.
private final class SinkReceiver: BodyReceiver {
    private let limit: Int64
    private let sink: @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void
    private let state = Mutex<(received: Int64, failure: BuildError?)>((0, nil))

    init(limit: Int64, _ sink: @escaping @Sendable (UnsafeRawBufferPointer) throws(BuildError) -> Void) {
        self.limit = limit
        self.sink = sink
    }

    var failure: BuildError? { state.withLock { $0.failure } }

    private func stop(_ error: BuildError) -> Bool {
        state.withLock { $0.failure = error }
        return false
    }

    private func tooLarge() -> Bool {
        stop(
            BuildError(
                .missingSource, "the file is larger than \(limit) bytes",
                hint: "files of ADD may have this size at most"))
    }

    func begin(_ head: HTTPHead) -> Bool {
        guard head.isSuccess, let length = head.headers["Content-Length"].flatMap({ Int64($0) }) else { return true }
        return length <= limit || tooLarge()
    }

    func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let total = state.withLock { state in
            state.received += Int64(bytes.count)
            return state.received
        }
        guard total <= limit else { return tooLarge() }
        do throws(BuildError) { try sink(bytes) } catch { return stop(error) }
        return true
    }
}
