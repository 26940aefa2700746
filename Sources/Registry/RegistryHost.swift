import FoundationEssentials
import HTTP
import OCI
import Synchronization
import Text

/// One registry: where its API is, how it wants to be convinced, and the tokens that it gave.
///
/// The first request goes out bare (unless there is a registry token); the answer's challenge is remembered, and later
/// requests bring what it asked for at once.
actor RegistryHost {
    private enum Scheme: Hashable {
        case basic
        case bearer(realm: AnsweredURL, service: String?)
    }

    private struct Token {
        let header: String
        let expires: ContinuousClock.Instant
    }

    /// As references write it.
    nonisolated let name: String
    nonisolated let retry: RetryPolicy
    nonisolated let options: RegistryConfiguration.HostOptions
    nonisolated let uploads = SharedUploads()
    nonisolated let referrerLists = TaskQueues()
    /// Whether it did not take a blob while that was made.
    nonisolated let refusesStreams = Mutex(false)
    /// Whether it took no blob in one request, but in a `PATCH` and a `PUT`.
    nonisolated let refusesWholeBlobs = Mutex(false)
    /// Whether a password that was used ends in a newline, which is a mistake more often than not.
    nonisolated let hasPasswordWithNewline = Mutex(false)
    private nonisolated let pace: HostPace
    /// The same for both where the configuration gives one bound.
    private nonisolated let transfers: Slots
    private nonisolated let questions: Slots
    private nonisolated let endpoint: RegistryEndpoint
    private nonisolated let client: HTTPClient
    nonisolated let answers: AnswerPolicy
    private let keychain: Keychain
    private var scheme: Scheme?
    /// Found credentials by repository: a helper program may take a second, and a push makes many requests.
    private var found: [String: (credentials: Credentials, until: ContinuousClock.Instant)] = [:]
    private var tokens: [String: Token] = [:]
    /// Token requests on their way, so that many blobs at once ask once.
    private var pending: [String: Task<Result<Token, RegistryError>, Never>] = [:]

    init(
        name: String, endpoint: RegistryEndpoint, client: HTTPClient, keychain: Keychain, retry: RetryPolicy,
        options: RegistryConfiguration.HostOptions = .init()
    ) {
        self.name = name
        self.options = options
        pace = HostPace(requestsPerSecond: options.requestsPerSecond)
        transfers = Slots(options.concurrency ?? RegistryConfiguration.HostOptions.transfers)
        questions = options.concurrency == nil ? Slots(RegistryConfiguration.HostOptions.questions) : transfers
        self.endpoint = endpoint
        self.client = client
        answers = AnswerPolicy(registry: name, transport: client.configuration.transport)
        self.keychain = keychain
        self.retry = retry
    }

    /// A call to the API.
    struct Call: Sendable {
        var method: String
        /// Below `/v2/`; or `url`, which the registry named.
        var path = ""
        var url: AnsweredURL?
        var headers = HTTPHeaders()
        var body = HTTPRequest.Body.none
        /// The repository whose credentials count.
        var repository: String
        var scopes: [String]
        var limit = 1 << 20
        var stallTimeout: Int?
        /// Whether an answer that comes in a coding is decoded.
        var decodesAnswer = false
        var sent: (@Sendable (Int64) -> Void)?
        /// For messages.
        var place: String
    }

    nonisolated func url(_ path: String, place: String) throws(RegistryError) -> HTTPURL {
        do {
            return try HTTPURL("\(endpoint.address)v2/\(path)")
        } catch {
            throw RegistryError(error, host: name, place: place)
        }
    }

    /// Where a call goes, once it is known whether there is TLS.
    nonisolated func address(of call: Call) async throws(RegistryError) -> HTTPURL {
        await endpoint.settle(client)
        return if let url = call.url { url.url } else { try url(call.path, place: call.place) }
    }

    /// Sends a call once, with the credentials that it needs; repeats it only to bring credentials that were asked for.
    nonisolated func send(
        _ call: Call, into receiver: (any BodyReceiver)? = nil
    ) async throws(RegistryError) -> HTTPResponse {
        let target = try await address(of: call)
        let base = try url("", place: call.place)
        var request = HTTPRequest(
            call.method, target, headers: call.headers, body: call.body,
            stallTimeout: call.stallTimeout, sent: call.sent)
        request.decodesAnswer = call.decodesAnswer
        var scopes = call.scopes
        var attempt = 1
        while true {
            var authorization: String?
            // An upload may continue at another host, which has no right to the credentials.
            if AnswerPolicy.mayHaveCredentials(request.url, of: base) {
                authorization = try await self.authorization(call, scopes)
                request.headers["Authorization"] = authorization
            }
            let response = try await exchange(request, call, receiver)
            guard response.status == 401, AnswerPolicy.mayHaveCredentials(response.head.url, of: base), attempt <= 2
            else { return response }
            guard try await learn(from: response, used: authorization, call, &scopes) else { return response }
            attempt += 1
        }
    }

    /// One request, when it is this host's turn.
    private nonisolated func exchange(
        _ request: HTTPRequest, _ call: Call, _ receiver: (any BodyReceiver)?
    ) async throws(RegistryError) -> HTTPResponse {
        let quarantine = pace.quarantine()
        guard quarantine <= .seconds(retry.longestRetryAfter) else {
            throw RegistryError(
                .rateLimited, "the registry wants to be left alone", place: call.place,
                cause: "it asked to wait for \(quarantine.components.seconds) more seconds",
                retryAfter: Int(quarantine.components.seconds), isTransient: true)
        }
        let slots = receiver == nil && request.body.isSmall ? questions : transfers
        await slots.acquire()
        defer { slots.release() }
        try await pause(pace.turn(), call.place)
        let response: HTTPResponse
        do throws(HTTPError) {
            if let receiver {
                response = try await client.send(request, into: receiver)
            } else {
                response = try await client.send(request, limit: call.limit)
            }
        } catch {
            throw RegistryError(error, host: name, place: call.place)
        }
        // What a storage service says about itself is not the registry's word.
        if response.head.url.host == request.url.host { pace.learn(response.head) }
        return response
    }

    nonisolated func pause(_ duration: Duration, _ place: String) async throws(RegistryError) {
        guard duration > .zero else { return }
        do {
            try await Task.sleep(for: duration)
        } catch {
            throw RegistryError(.cancelled, "the call was cancelled", place: place)
        }
    }

    // MARK: Credentials

    private func authorization(_ call: Call, _ scopes: [String]) async throws(RegistryError) -> String? {
        switch scheme {
        case nil:
            if case .registryToken(let token) = try await credentials(call) { return "Bearer \(token)" }
            return nil
        case .basic:
            guard case .basic(let user, let password) = try await credentials(call) else { return nil }
            return HTTPHeaders.basic(user, password)
        case .bearer(let realm, let service):
            let key = scopes.joined(separator: " ")
            if let token = tokens[key], token.expires > .now { return token.header }
            return try await token(realm, service, scopes, call).header
        }
    }

    /// Takes note of a refusal. Whether another attempt has a chance.
    private func learn(
        from response: HTTPResponse, used: String?, _ call: Call, _ scopes: inout [String]
    ) async throws(RegistryError) -> Bool {
        let challenges = try challenges(response, call.place)
        if let bearer = challenges.first(where: { $0.scheme == "bearer" }), let text = bearer.parameters["realm"] {
            let realm = try answers.url(text, for: .token, from: response.head.url, place: call.place)
            let new = Scheme.bearer(realm: realm, service: bearer.parameters["service"])
            let asked = bearer.parameters["scope"]?.split(separator: " ").map(String.init) ?? []
            let missing = asked.filter { !scopes.contains($0) && !Self.covers(scopes, $0) }
            let key = scopes.joined(separator: " ")
            // A token that was refused is not offered again; one of another request may have replaced it meanwhile.
            if let used, tokens[key]?.header == used { tokens[key] = nil }
            if scheme == new, used != nil, missing.isEmpty,
                response.headers["WWW-Authenticate"]?.contains(
                    "insufficient_scope") == true
            {
                return false
            }
            scheme = new
            scopes += missing
            return true
        }
        if challenges.contains(where: { $0.scheme == "basic" }) {
            scheme = .basic
            // Passwords of cloud registries expire: the next call asks the keychain again.
            if used != nil { found[call.repository] = nil }
            guard used == nil, case .basic = try await credentials(call) else { return false }
            return true
        }
        return false
    }

    private func challenges(_ response: HTTPResponse, _ place: String) throws(RegistryError) -> [Challenge] {
        let values = response.headers.all("WWW-Authenticate")
        if let long = values.first(where: { $0.utf8.count > Limits.challenge }) {
            throw RegistryError(
                .invalidContent, "the registry asks for credentials in a way that cannot be used", place: place,
                cause: "WWW-Authenticate has \(long.utf8.count) bytes where at most \(Limits.challenge) are taken",
                status: 401)
        }
        return values.flatMap(Challenge.parse)
    }

    /// Whether `repository:app:pull` is granted by a wider `repository:app:pull,push`.
    private static func covers(_ scopes: [String], _ wanted: String) -> Bool {
        let parts = wanted.split(separator: ":")
        guard parts.count >= 3, let actions = parts.last?.split(separator: ",") else { return false }
        let resource = parts.dropLast().joined(separator: ":")
        return scopes.contains { scope in
            let own = scope.split(separator: ":")
            guard own.dropLast().joined(separator: ":") == resource, let granted = own.last?.split(separator: ",")
            else {
                return false
            }
            return actions.allSatisfy(granted.contains)
        }
    }

    private func credentials(_ call: Call) async throws(RegistryError) -> Credentials {
        if let known = found[call.repository], known.until > .now { return known.credentials }
        do {
            let credentials = try await keychain.credentials(host: name, path: call.repository)
            if case .basic(_, let password) = credentials {
                hasPasswordWithNewline.withLock { $0 = password.utf8.last == 0x0a }
            }
            found[call.repository] = (credentials, .now + .seconds(300))
            return credentials
        } catch {
            var failure = error
            failure.place = failure.place ?? call.place
            throw failure
        }
    }

    // MARK: Tokens

    private struct TokenAnswer: Decodable {
        var token: String?
        var accessToken: String?
        var expiresIn: Double?

        enum CodingKeys: String, CodingKey {
            case token
            case accessToken = "access_token"
            case expiresIn = "expires_in"
        }
    }

    private func token(
        _ realm: AnsweredURL, _ service: String?, _ scopes: [String], _ call: Call
    ) async throws(RegistryError) -> Token {
        let key = scopes.joined(separator: " ")
        if let task = pending[key] { return try await task.value.get() }
        let task = Task<Result<Token, RegistryError>, Never> {
            do throws(RegistryError) {
                return .success(
                    try await retry.run { () async throws(RegistryError) in
                        try await self.requestToken(realm.url, service, scopes, call)
                    })
            } catch {
                return .failure(error)
            }
        }
        pending[key] = task
        let result = await task.value
        pending[key] = nil
        let token = try result.get()
        tokens = tokens.filter { $0.value.expires > .now }
        tokens[key] = token
        return token
    }

    /// https://distribution.github.io/distribution/spec/auth/token/ and …/auth/oauth/ for identity tokens.
    private func requestToken(
        _ realm: HTTPURL, _ service: String?, _ scopes: [String], _ call: Call
    ) async throws(RegistryError) -> Token {
        let credentials = try await credentials(call)
        var request = HTTPRequest("GET", realm)
        var fields: [(String, String)] = service.map { [("service", $0)] } ?? []
        if case .identityToken(let refresh) = credentials {
            fields += [("grant_type", "refresh_token"), ("client_id", "slipway"), ("refresh_token", refresh)]
            if !scopes.isEmpty { fields.append(("scope", scopes.joined(separator: " "))) }
            request.method = "POST"
            request.headers["Content-Type"] = "application/x-www-form-urlencoded"
            request.body = .bytes(Array(Self.form(fields).utf8))
        } else {
            fields += scopes.map { ("scope", $0) }
            if case .basic(let user, let password) = credentials {
                fields.append(("account", user))
                request.headers["Authorization"] = HTTPHeaders.basic(user, password)
            }
            do {
                request.url = try HTTPURL(realm.text + (realm.text.contains("?") ? "&" : "?") + Self.form(fields))
            } catch {
                throw RegistryError(error, host: name, place: call.place)
            }
        }
        let start = ContinuousClock.now
        let response: HTTPResponse
        do {
            response = try await client.send(request, limit: 1 << 18)
        } catch {
            throw RegistryError(error, host: realm.authority, place: call.place)
        }
        guard response.head.isSuccess else {
            found[call.repository] = nil
            throw failure(
                response, credentials == .anonymous ? "no access without a login" : "the login was refused", call.place)
        }
        guard let answer = try? JSONDecoder().decode(TokenAnswer.self, from: Data(response.body)),
            let token = answer.token.flatMap({ $0.isEmpty ? nil : $0 }) ?? answer.accessToken, !token.isEmpty
        else {
            throw RegistryError(.invalidContent, "the token service gave no token", place: "\(realm)")
        }
        // The specification's default is a minute; a token is given up a little before its end.
        let lifetime = min(max(answer.expiresIn ?? 60, 0), 86_400)
        return Token(header: "Bearer \(token)", expires: start + .seconds(max(lifetime - 10, lifetime / 2)))
    }

    /// Scopes stay readable: `:`, `/` and `,` need no encoding in a query (RFC 3986, 3.4).
    private static func form(_ fields: [(String, String)]) -> String {
        PercentEncoding.form(fields) { PercentEncoding.isUnreserved($0) || [0x3a, 0x2f, 0x2c].contains($0) }
    }
}

extension HTTPRequest.Body {
    /// Whether it is none, or a document such as a manifest.
    fileprivate var isSmall: Bool {
        switch self {
        case .none, .bytes: true
        case .file, .fileRange, .stream: false
        }
    }
}
