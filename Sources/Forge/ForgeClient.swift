import FoundationEssentials
import HTTP

/// JSON over HTTP with a token.
struct ForgeClient: Sendable {
    /// How the host wants to see the token.
    enum Scheme: Sendable {
        case bearer, token, privateToken
        /// The token is `USER:PASSWORD`.
        case basic
        /// The token is a password without a user.
        case password
    }

    let http: HTTPClient
    let tokens: any ForgeTokenSource
    let scheme: Scheme
    /// The file that the token is from, for messages.
    let tokenFile: String?
    let pauses: ForgePauses
    /// Bytes of an answer that are read: a hundred pull requests with long descriptions.
    private static let limit = 16 << 20

    /// Any JSON, for answers whose shape does not matter.
    struct Ignored: Decodable { init(from decoder: any Decoder) {} }

    func get<Answer: Decodable>(_ url: HTTPURL, headers: HTTPHeaders = HTTPHeaders()) async throws(ForgeError) -> Answer
    {
        try decoded(try await exchange("GET", url, body: nil, headers: headers), "GET", url)
    }

    /// The same where the status says what there is.
    func response(_ url: HTTPURL) async throws(ForgeError) -> HTTPResponse {
        try await exchange("GET", url, body: nil, headers: HTTPHeaders())
    }

    /// A page of a list; `nil` when it has not changed.
    ///
    /// - Parameters:
    ///   - type: how the host writes it.
    ///   - limit: how many were asked for.
    ///   - etag: the mark of what is known already.
    func page<List: ForgeListing>(
        _ url: HTTPURL, as type: List.Type, limit: Int, unless etag: String? = nil,
        headers: HTTPHeaders = HTTPHeaders()
    ) async throws(ForgeError) -> ForgePage<List.Item>? where List.Item: Sendable {
        var headers = headers
        if let etag { headers.add("If-None-Match", etag) }
        let response = try await exchange("GET", url, body: nil, headers: headers)
        if etag != nil, response.status == 304 { return nil }
        let list: List = try decoded(response, "GET", url)
        // Hosts may give fewer than they are asked for; their Link header (RFC 8288) tells whether there are more.
        let links = response.headers.all("Link").joined(separator: ",")
        let hasNext =
            list.hasNext ?? (links.isEmpty ? list.items.count >= limit : links.contains("rel=\"next\""))
        return ForgePage(items: list.items, hasNext: hasNext, etag: response.headers["ETag"])
    }

    func send<Answer: Decodable>(
        _ method: String, _ url: HTTPURL, _ body: some Encodable & Sendable, headers: HTTPHeaders = HTTPHeaders()
    ) async throws(ForgeError) -> Answer {
        try decoded(try await post(method, url, body, headers: headers), method, url)
    }

    /// The same where the status says what came of it.
    func post(
        _ method: String, _ url: HTTPURL, _ body: some Encodable & Sendable, headers: HTTPHeaders = HTTPHeaders()
    ) async throws(ForgeError) -> HTTPResponse {
        let bytes: [UInt8]
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            bytes = [UInt8](try encoder.encode(body))
        } catch {
            throw ForgeError(.invalid, "the request cannot be written as JSON", place: url.description)
        }
        return try await exchange(method, url, body: bytes, headers: headers)
    }

    private func exchange(
        _ method: String, _ url: HTTPURL, body: [UInt8]?, headers: HTTPHeaders
    ) async throws(ForgeError) -> HTTPResponse {
        try pauses.check(url)
        let token = try await tokens.current()
        do throws(ForgeError) {
            return try await exchange(method, url, body: body, headers: headers, token: token)
        } catch {
            guard error.status == 401, await tokens.refused(token) else { throw error }
            let other = try await tokens.current()
            return try await exchange(method, url, body: body, headers: headers, token: other)
        }
    }

    private func exchange(
        _ method: String, _ url: HTTPURL, body: [UInt8]?, headers: HTTPHeaders, token: String
    ) async throws(ForgeError) -> HTTPResponse {
        var all = headers
        switch scheme {
        case .bearer: all.add("Authorization", "Bearer \(token)")
        case .token: all.add("Authorization", "token \(token)")
        case .privateToken: all.add("PRIVATE-TOKEN", token)
        case .basic: all.add("Authorization", "Basic \(Data(token.utf8).base64EncodedString())")
        case .password: all.add("Authorization", "Basic \(Data(":\(token)".utf8).base64EncodedString())")
        }
        if all["Accept"] == nil { all.add("Accept", "application/json") }
        if body != nil { all.add("Content-Type", "application/json") }
        let response: HTTPResponse
        do {
            response = try await http.send(
                HTTPRequest(method, url, headers: all, body: body.map { .bytes($0) } ?? .none), limit: Self.limit)
        } catch {
            throw ForgeError(error)
        }
        let isNotModified = response.status == 304 && headers["If-None-Match"] != nil
        // Azure DevOps shows its page to sign in to whoever comes with a token that is none.
        guard response.head.isSuccess && response.status != 203 || isNotModified else {
            throw failure(response, method, url, token: token)
        }
        pauses.learn(response.head, isRefused: false)
        return response
    }

    func decoded<Answer: Decodable>(
        _ response: HTTPResponse, _ method: String, _ url: HTTPURL
    ) throws(ForgeError) -> Answer {
        if Answer.self == Ignored.self, let ignored = try? JSONDecoder().decode(Answer.self, from: Data("{}".utf8)) {
            return ignored
        }
        do {
            return try JSONDecoder().decode(Answer.self, from: Data(response.body))
        } catch {
            throw ForgeError(
                .unexpectedAnswer, "the answer is not what the API documents", place: "\(method) \(url)",
                cause: Self.shape(of: error), hint: "check 'pullRequest.host' and 'pullRequest.api'")
        }
    }

    private static func shape(of error: any Error) -> String? {
        switch error as? DecodingError {
        case .keyNotFound(let key, _): "'\(key.stringValue)' is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            "'\(context.codingPath.map(\.stringValue).joined(separator: "."))' is of another kind"
        case .dataCorrupted: "it is not JSON"
        default: nil
        }
    }
}

/// Runs what may fail without harm, and keeps what it says.
func warning(_ what: String, _ body: () async throws(ForgeError) -> Void) async -> String? {
    do {
        try await body()
        return nil
    } catch {
        return "\(what): \(error.summary)" + (error.cause.map { " (\($0))" } ?? "")
    }
}
