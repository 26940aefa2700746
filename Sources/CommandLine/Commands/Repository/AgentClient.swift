import Agent
import Diagnostics
import Glibc
import HTTP
import OCI
import Text

/// A running agent, asked by way of its socket or its address.
struct AgentClient: Sendable {
    /// For messages: `on /var/lib/slipway`, `at https://slipway.example.com`.
    let place: String
    private let connection: AgentConnection
    /// What the agent watches.
    let watched: [WatchedRepository]

    /// The agent that runs on a state directory.
    ///
    /// - Returns: `nil` when nobody answers there.
    /// - Throws: when somebody does, and is not to be understood.
    static func connect(_ stateDirectory: String) async throws(ControlError) -> AgentClient? {
        let path = AgentSocket.path(in: stateDirectory)
        guard access(path, F_OK) == 0 else { return nil }
        let connection = try AgentConnection(socket: path)
        let response: HTTPResponse
        do throws(HTTPError) { response = try await connection.send("GET", "repositories", timeout: 10) } catch {
            // What a dead process left answers nobody.
            if error.code == .cannotConnect, access(path, R_OK | W_OK) == 0 { return nil }
            throw ControlError(
                .unavailable, "the agent does not answer", place: path, cause: error.cause ?? error.summary,
                hint: error.code == .cannotConnect
                    ? "its socket is for the user that runs it" : "look at its log, or end it")
        }
        return AgentClient(
            place: "on \(stateDirectory)", connection, try connection.value(WatchedRepositories.self, of: response))
    }

    /// The agent that answers at an address.
    static func connect(server: String, token: String?) async throws(ControlError) -> AgentClient {
        let connection = try AgentConnection(server: server, token: token)
        let response: HTTPResponse
        do throws(HTTPError) { response = try await connection.send("GET", "repositories", timeout: 30) } catch {
            throw ControlError(
                .unavailable, "the agent does not answer", place: connection.place,
                cause: error.cause ?? error.summary, hint: "the address is what 'listen' says, or a proxy's before it")
        }
        return AgentClient(
            place: "at \(connection.place)", connection, try connection.value(WatchedRepositories.self, of: response))
    }

    private init(place: String, _ connection: AgentConnection, _ known: WatchedRepositories) {
        self.place = place
        self.connection = connection
        watched = known.repositories
    }

    /// The agent's name for a repository of another configuration.
    ///
    /// - Parameter isNamed: whether the name is one that a person gave it; else the branch of the repository counts alone.
    func name(of repository: AgentConfiguration.RepositoryConfiguration, isNamed: Bool) -> String? {
        let same = watched.filter { $0.isSameBranch(as: repository) }
        if isNamed { return same.first { $0.name == repository.name }?.name }
        return (same.first { $0.name == repository.name } ?? same.first)?.name
    }

    // MARK: Reading

    func overview() async throws(ControlError) -> AgentOverview { try await get("status", timeout: 30) }

    /// What a repository's last cycle did and decided.
    func lastCycle(of repository: String) async throws(ControlError) -> CycleReport {
        try await get("\(Self.path(of: repository))/cycle", timeout: 30)
    }

    func builds(of repository: String, limit: Int) async throws(ControlError) -> [BuildRecord] {
        let list: BuildListing = try await get("\(Self.path(of: repository))/builds?limit=\(limit)", timeout: 30)
        return list.builds
    }

    func log(of build: BuildID, from start: Int) async throws(ControlError) -> (text: [UInt8], end: Int, hasMore: Bool)
    {
        let response = try await send("GET", "builds/\(build)/log?from=\(start)", timeout: 30)
        try connection.check(response)
        return (
            response.body, response.headers["Slipway-Log-End"].flatMap { Int($0) } ?? start,
            response.headers["Slipway-Log-More"] == "true"
        )
    }

    /// What happens, until this process is told to end. Where the connection breaks, it goes on where it was.
    ///
    /// - Parameters:
    ///   - query: which events; empty for all.
    ///   - opened: called when all that happens from now on will be told.
    /// - Throws: when the agent does not answer any more, or refuses.
    func events(
        _ query: String, opened: @escaping @Sendable () -> Void = {}, take: @escaping @Sendable (AgentEvent) -> Void
    ) async throws(ControlError) {
        let reader = EventStreamReader(opened: opened, take)
        var attempts = 0
        while !Task.isCancelled {
            let known = reader.lastID
            let resumption = known.map { (query.isEmpty ? "?" : "&") + "lastEventID=\(PercentEncoding.encode($0))" }
            let result: Result<HTTPResponse, HTTPError>
            do throws(HTTPError) {
                result = .success(try await connection.send("GET", "events\(query)\(resumption ?? "")", into: reader))
            } catch { result = .failure(error) }
            switch result {
            case .success(let response): try connection.check(response)
            case .failure(let error):
                attempts = reader.lastID == known ? attempts + 1 : 1
                guard attempts < 10 else { throw connection.broken(error) }
            }
            do { try await Task.sleep(for: .seconds(1)) } catch { return }
        }
    }

    /// Who decides about a place, an object or an image, by what the agent's last cycle saw.
    func explanations(of repository: String, _ subject: String) async throws(ControlError) -> [Explanation] {
        let listing: PolicyListing = try await get(
            "\(Self.path(of: repository))/policies?subject=\(PercentEncoding.encode(subject))", timeout: 60)
        return listing.policies
    }

    func workloads(of repository: String) async throws(ControlError) -> WorkloadListing {
        try await get("\(Self.path(of: repository))/workloads", timeout: Self.patience)
    }

    func images(of repository: String, _ filter: WorkloadFilter) async throws(ControlError) -> ImageListing {
        let parameters = [("workload", filter.workload), ("namespace", filter.namespace)]
            .compactMap { name, value in value.map { "\(name)=\(PercentEncoding.encode($0))" } }
        return try await get(
            "\(Self.path(of: repository))/images?\(parameters.joined(separator: "&"))", timeout: Self.patience)
    }

    // MARK: Triggers

    func retry(_ request: RetryRequest) async throws(ControlError) -> RetryAnswer { try await post("retry", request) }

    func edit(_ request: EditRequest) async throws(ControlError) -> EditAnswer { try await post("edits", request) }

    func pause(_ repository: String, _ request: PauseRequest) async throws(ControlError) -> PauseAnswer {
        try await post("\(Self.path(of: repository))/pause", request)
    }

    func resume(_ repository: String) async throws(ControlError) -> PauseAnswer {
        try await post("\(Self.path(of: repository))/resume", PauseRequest())
    }

    func stop(_ build: BuildID) async throws(ControlError) -> StopAnswer {
        try await post("builds/\(build)/stop", PauseRequest())
    }

    /// A cycle of a repository. What the agent has begun it ends, also when this process ends first.
    func cycle(
        _ repository: String, _ mode: CycleMode, say: @escaping @Sendable (String) -> Void
    ) async throws(ControlError) -> [CycleReport] {
        let events = CycleEventReader(say)
        let response: HTTPResponse
        do throws(HTTPError) {
            let body = Self.bytes(CycleRequest(repositories: [repository]))
            response = try await connection.send(
                "POST", mode == .plan ? "plan" : "sync", body: .bytes(body), into: events)
        } catch { throw connection.broken(error) }
        try connection.check(response)
        return try events.result(at: connection.place)
    }

    // MARK: Plumbing

    /// How long git and registries may take, in seconds.
    private static let patience = 3_600

    private static func path(of repository: String) -> String { "repositories/\(PercentEncoding.encode(repository))" }

    private static func bytes(_ value: some Encodable) -> [UInt8] { (try? CanonicalJSON.encode(value)) ?? [] }

    private func get<Answer: Decodable>(_ path: String, timeout: Int) async throws(ControlError) -> Answer {
        try connection.value(Answer.self, of: try await send("GET", path, timeout: timeout))
    }

    private func post<Answer: Decodable>(
        _ path: String, _ request: some Encodable
    ) async throws(ControlError) -> Answer {
        let response = try await send("POST", path, body: .bytes(Self.bytes(request)), timeout: Self.patience)
        return try connection.value(Answer.self, of: response)
    }

    private func send(
        _ method: String, _ path: String, body: HTTPRequest.Body = .none, timeout: Int
    ) async throws(ControlError) -> HTTPResponse {
        do throws(HTTPError) { return try await connection.send(method, path, body: body, timeout: timeout) } catch {
            throw connection.broken(error)
        }
    }
}
