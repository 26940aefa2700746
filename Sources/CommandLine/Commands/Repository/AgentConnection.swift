import Agent
import Glibc
import HTTP
import OCI

/// Requests to the API of an agent: by the socket in its state directory, or by its address.
struct AgentConnection: Sendable {
    /// For messages: the socket's path, or the server's URL.
    let place: String
    /// Ends in `/api/v1/`.
    private let base: String
    private let http: HTTPClient
    private let token: String?
    /// Keeps the socket's path good.
    private let socket: SocketAddress?

    /// Bytes of an answer.
    private static let limit = 256 << 20

    /// - Parameter socket: the path of the agent's socket.
    init(socket path: String) throws(ControlError) {
        let socket: SocketAddress
        do throws(AgentError) { socket = try SocketAddress(path) } catch { throw ControlError(error) }
        var configuration = Self.configuration
        configuration.unixSocket = socket.path
        configuration.plainHTTP = .hosts(["agent"])
        http = HTTPClient(configuration)
        base = "http://agent/api/v1/"
        place = path
        token = nil
        self.socket = socket
    }

    /// - Parameters:
    ///   - server: the URL of an agent's pages; whoever writes `http:` wants it so.
    ///   - token: what the agent's `api.tokenFile` or `api.readTokenFile` holds.
    init(server: String, token: String?) throws(ControlError) {
        let url: HTTPURL
        do throws(HTTPError) {
            let text = server.hasSuffix("/") ? String(server.dropLast()) : server
            guard !text.contains(where: { $0 == "?" || $0 == "#" }) else {
                throw HTTPError(.invalidRequest, "a URL cannot be used", cause: "it has a query or a fragment")
            }
            url = try HTTPURL(text)
            base = text + "/api/v1/"
        } catch {
            throw ControlError(
                .invalidRequest, "'\(server)' is not the address of an agent", cause: error.cause ?? error.summary,
                hint: "write it with its scheme, as in https://slipway.example.com")
        }
        var configuration = Self.configuration
        configuration.plainHTTP = .hosts([url.host])
        http = HTTPClient(configuration)
        place = "\(url)"
        self.token = token
        socket = nil
    }

    private static var configuration: HTTPConfiguration {
        var configuration = HTTPConfiguration()
        configuration.userAgent = Version.userAgent
        // A token must not follow a redirection.
        configuration.maximumRedirects = 0
        return configuration
    }

    /// - Parameter path: below `/api/v1/`.
    func request(
        _ method: String, _ path: String, body: HTTPRequest.Body = .none, timeout: Int? = nil
    ) throws(HTTPError) -> HTTPRequest {
        var request = HTTPRequest(method, try HTTPURL(base + path), body: body, stallTimeout: 0, timeout: timeout)
        if let token { request.headers["Authorization"] = "Bearer \(token)" }
        return request
    }

    /// - Parameter timeout: in seconds.
    func send(
        _ method: String, _ path: String, body: HTTPRequest.Body = .none, timeout: Int
    ) async throws(HTTPError) -> HTTPResponse {
        try await http.send(try request(method, path, body: body, timeout: timeout), limit: Self.limit)
    }

    /// Sends a request whose answer is a stream.
    func send(
        _ method: String, _ path: String, body: HTTPRequest.Body = .none, into receiver: any BodyReceiver
    ) async throws(HTTPError) -> HTTPResponse {
        try await http.send(try request(method, path, body: body), into: receiver)
    }

    // MARK: Answers

    func check(_ response: HTTPResponse) throws(ControlError) {
        guard !response.head.isSuccess else { return }
        if let document = try? CanonicalJSON.decode(ErrorDocument.self, from: response.body) { throw document.error }
        throw ControlError(.failed, "the agent answers with the status \(response.status)", place: place)
    }

    func value<Answer: Decodable>(_ type: Answer.Type, of response: HTTPResponse) throws(ControlError) -> Answer {
        try check(response)
        do throws(OCIError) { return try CanonicalJSON.decode(type, from: response.body) } catch {
            throw Self.notUnderstood(error.cause, at: place)
        }
    }

    func broken(_ error: HTTPError) -> ControlError {
        ControlError(
            .unavailable, "the agent broke off", place: place, cause: error.cause ?? error.summary,
            hint: "look at its log; what it had begun, it ends at its next start")
    }

    static func notUnderstood(_ cause: String?, at place: String) -> ControlError {
        ControlError(
            .failed, "the agent's answer is not understood", place: place, cause: cause,
            hint: "the agent and this program may be of different versions; this one is \(Version.text)")
    }
}
