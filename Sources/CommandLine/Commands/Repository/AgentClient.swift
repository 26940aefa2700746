import Agent
import Diagnostics
import Glibc
import HTTP
import OCI
import Synchronization
import Text

/// The agent that runs on a state directory, asked by way of its socket.
struct AgentClient: Sendable {
    let stateDirectory: String
    private let http: HTTPClient
    /// Keeps the socket's path good.
    private let address: SocketAddress
    /// What the agent watches.
    private let watched: [WatchedRepository]

    /// Bytes of an answer.
    private static let limit = 256 << 20

    /// - Returns: `nil` when nobody answers there.
    /// - Throws: when somebody does, and is not to be understood.
    static func connect(_ stateDirectory: String) async throws(ControlError) -> AgentClient? {
        let path = AgentSocket.path(in: stateDirectory)
        guard access(path, F_OK) == 0 else { return nil }
        let address: SocketAddress
        do throws(AgentError) { address = try SocketAddress(path) } catch { throw ControlError(error) }
        var configuration = HTTPConfiguration()
        configuration.userAgent = Version.userAgent
        configuration.unixSocket = address.path
        configuration.plainHTTP = .hosts([host])
        configuration.maximumRedirects = 0
        let http = HTTPClient(configuration)
        let response: HTTPResponse
        do throws(HTTPError) {
            response = try await http.send(HTTPRequest("GET", try url("repositories"), timeout: 10), limit: limit)
        } catch {
            // What a dead process left answers nobody.
            if error.code == .cannotConnect, access(path, R_OK | W_OK) == 0 { return nil }
            throw ControlError(
                .unavailable, "the agent does not answer", place: path, cause: error.cause ?? error.summary,
                hint: error.code == .cannotConnect
                    ? "its socket is for the user that runs it" : "look at its log, or end it")
        }
        let known = try value(WatchedRepositories.self, of: response, at: path)
        return AgentClient(stateDirectory: stateDirectory, http: http, address: address, watched: known.repositories)
    }

    private init(
        stateDirectory: String, http: HTTPClient, address: SocketAddress, watched: [WatchedRepository]
    ) {
        self.stateDirectory = stateDirectory
        self.http = http
        self.address = address
        self.watched = watched
    }

    /// The agent's name for a repository of another configuration.
    ///
    /// - Parameter isNamed: whether the name is one that a person gave it; else the branch of the repository counts alone.
    func name(of repository: AgentConfiguration.RepositoryConfiguration, isNamed: Bool) -> String? {
        let same = watched.filter { $0.isSameBranch(as: repository) }
        if isNamed { return same.first { $0.name == repository.name }?.name }
        return (same.first { $0.name == repository.name } ?? same.first)?.name
    }

    // MARK: Requests

    func overview() async throws(ControlError) -> AgentOverview { try await get("status", timeout: 30) }

    /// What a repository's last cycle did and decided.
    func lastCycle(of repository: String) async throws(ControlError) -> CycleReport {
        try await get("repositories/\(PercentEncoding.encode(repository))/cycle", timeout: 30)
    }

    func builds(of repository: String, limit: Int) async throws(ControlError) -> [BuildRecord] {
        let list: BuildListing = try await get(
            "repositories/\(PercentEncoding.encode(repository))/builds?limit=\(limit)", timeout: 30)
        return list.builds
    }

    func log(of build: BuildID, from start: Int) async throws(ControlError) -> (text: [UInt8], end: Int, hasMore: Bool)
    {
        let response = try await send("GET", "builds/\(build)/log?from=\(start)", timeout: 30)
        try check(response)
        return (
            response.body, response.headers["Slipway-Log-End"].flatMap { Int($0) } ?? start,
            response.headers["Slipway-Log-More"] == "true"
        )
    }

    func retry(_ request: RetryRequest) async throws(ControlError) -> RetryAnswer { try await post("retry", request) }

    func edit(_ request: EditRequest) async throws(ControlError) -> EditAnswer { try await post("edits", request) }

    func workloads(of repository: String) async throws(ControlError) -> WorkloadListing {
        try await get("repositories/\(PercentEncoding.encode(repository))/workloads", timeout: Self.patience)
    }

    func images(of repository: String, _ filter: WorkloadFilter) async throws(ControlError) -> ImageListing {
        let parameters = [("workload", filter.workload), ("namespace", filter.namespace)]
            .compactMap { name, value in value.map { "\(name)=\(PercentEncoding.encode($0))" } }
        return try await get(
            "repositories/\(PercentEncoding.encode(repository))/images?\(parameters.joined(separator: "&"))",
            timeout: Self.patience)
    }

    /// A cycle of a repository. What the agent has begun it ends, also when this process ends first.
    func cycle(
        _ repository: String, _ mode: CycleMode, say: @escaping @Sendable (String) -> Void
    ) async throws(ControlError) -> [CycleReport] {
        let events = CycleEventReader(say)
        let response: HTTPResponse
        do throws(HTTPError) {
            let body = Self.bytes(CycleRequest(repositories: [repository]))
            response = try await http.send(
                HTTPRequest(
                    "POST", try Self.url(mode == .plan ? "plan" : "sync"), body: .bytes(body), stallTimeout: 0),
                into: events)
        } catch { throw broken(error) }
        try check(response)
        return try events.result(at: path)
    }

    // MARK: Plumbing

    /// How long git and registries may take, in seconds.
    private static let patience = 3_600
    private static let host = "agent"

    private var path: String { AgentSocket.path(in: stateDirectory) }

    private static func url(_ path: String) throws(HTTPError) -> HTTPURL {
        try HTTPURL("http://\(host)/api/v1/\(path)")
    }

    private static func bytes(_ value: some Encodable) -> [UInt8] { (try? CanonicalJSON.encode(value)) ?? [] }

    private func get<Answer: Decodable>(_ path: String, timeout: Int) async throws(ControlError) -> Answer {
        try Self.value(Answer.self, of: try await send("GET", path, timeout: timeout), at: self.path)
    }

    private func post<Answer: Decodable>(
        _ path: String, _ request: some Encodable
    ) async throws(ControlError) -> Answer {
        let response = try await send("POST", path, body: .bytes(Self.bytes(request)), timeout: Self.patience)
        return try Self.value(Answer.self, of: response, at: self.path)
    }

    private func send(
        _ method: String, _ path: String, body: HTTPRequest.Body = .none, timeout: Int
    ) async throws(ControlError) -> HTTPResponse {
        do throws(HTTPError) {
            return try await http.send(
                HTTPRequest(method, try Self.url(path), body: body, stallTimeout: 0, timeout: timeout),
                limit: Self.limit)
        } catch { throw broken(error) }
    }

    private func broken(_ error: HTTPError) -> ControlError {
        ControlError(
            .unavailable, "the agent broke off", place: path, cause: error.cause ?? error.summary,
            hint: "look at its log; what it had begun, it ends at its next start")
    }

    private func check(_ response: HTTPResponse) throws(ControlError) { try Self.check(response, at: path) }

    private static func check(_ response: HTTPResponse, at path: String) throws(ControlError) {
        guard !response.head.isSuccess else { return }
        if let document = try? CanonicalJSON.decode(ErrorDocument.self, from: response.body) { throw document.error }
        throw ControlError(.failed, "the agent answers with the status \(response.status)", place: path)
    }

    private static func value<Answer: Decodable>(
        _ type: Answer.Type, of response: HTTPResponse, at path: String
    ) throws(ControlError) -> Answer {
        try check(response, at: path)
        do throws(OCIError) { return try CanonicalJSON.decode(type, from: response.body) } catch {
            throw Self.notUnderstood(error.cause, at: path)
        }
    }

    static func notUnderstood(_ cause: String?, at path: String) -> ControlError {
        ControlError(
            .failed, "the agent's answer is not understood", place: path, cause: cause,
            hint: "the agent and this program may be of different versions; this one is \(Version.text)")
    }
}
