import FoundationEssentials
import HTTP

/// JSON over HTTP with a token.
struct ForgeClient: Sendable {
    /// How the host wants to see the token.
    enum Scheme: Sendable { case bearer, token, privateToken }

    let http: HTTPClient
    let token: String
    let scheme: Scheme
    /// Bytes of an answer that are read.
    private static let limit = 8 << 20

    /// Any JSON, for answers whose shape does not matter.
    struct Ignored: Decodable { init(from decoder: any Decoder) {} }

    func get<Answer: Decodable>(_ url: HTTPURL, headers: HTTPHeaders = HTTPHeaders()) async throws(ForgeError) -> Answer
    {
        try await send("GET", url, body: nil, headers: headers)
    }

    func send<Answer: Decodable>(
        _ method: String, _ url: HTTPURL, _ body: some Encodable & Sendable, headers: HTTPHeaders = HTTPHeaders()
    ) async throws(ForgeError) -> Answer {
        let bytes: [UInt8]
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            bytes = [UInt8](try encoder.encode(body))
        } catch {
            throw ForgeError(.invalid, "the request cannot be written as JSON", place: url.description)
        }
        return try await send(method, url, body: bytes, headers: headers)
    }

    private func send<Answer: Decodable>(
        _ method: String, _ url: HTTPURL, body: [UInt8]?, headers: HTTPHeaders
    ) async throws(ForgeError) -> Answer {
        var all = headers
        switch scheme {
        case .bearer: all.add("Authorization", "Bearer \(token)")
        case .token: all.add("Authorization", "token \(token)")
        case .privateToken: all.add("PRIVATE-TOKEN", token)
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
        guard response.head.isSuccess else { throw failure(response, method, url) }
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

    // MARK: Failures

    private func failure(_ response: HTTPResponse, _ method: String, _ url: HTTPURL) -> ForgeError {
        let place = "\(method) \(url)"
        let cause = "HTTP status \(response.status)" + (message(response.body).map { ": \($0)" } ?? "")
        func error(_ code: ForgeError.Code, _ summary: String, hint: String?) -> ForgeError {
            ForgeError(code, summary, place: place, cause: cause, hint: hint, status: response.status)
        }
        let isLimited =
            response.status == 429 || response.headers["X-RateLimit-Remaining"] == "0"
            || (response.status == 403 && response.headers["Retry-After"] != nil)
        switch response.status {
        case 403 where isLimited, 429:
            return error(.rateLimited, "the code host asks for a pause", hint: Self.pause(response.headers))
        case 401:
            return error(
                .authentication, "the code host refuses the token", hint: "check that it is right and not expired")
        case 403:
            return error(
                .authentication, "the token may not do this",
                hint:
                    "GitHub: 'Pull requests: write' and 'Contents: write'; GitLab: scope 'api', role Developer; Gitea: "
                    + "scopes 'write:repository' and 'write:issue'")
        case 404, 410:
            return error(
                .notFound, "the code host has no such project, or does not show it to this token",
                hint: "check 'pullRequest.project' and the token's access")
        case 500...: return error(.unavailable, "the code host failed", hint: "the next cycle tries again")
        case 300..<400:
            return error(
                .refused, "the code host redirects",
                hint: "use the final URL as 'pullRequest.api', and the project's present name")
        default: return error(.refused, "the code host refuses the request", hint: nil)
        }
    }

    private static func pause(_ headers: HTTPHeaders) -> String {
        if let seconds = headers["Retry-After"].flatMap({ Int($0) }) { return "try again in \(seconds) seconds" }
        if let reset = headers["X-RateLimit-Reset"] ?? headers["RateLimit-Reset"] {
            return "the limit is lifted at \(reset.prefix(20)) (seconds since 1970); a longer interval asks less often"
        }
        return "the next cycle tries again; a longer interval asks less often"
    }

    /// What the host says, bounded, on one line, without the token.
    private func message(_ body: [UInt8]) -> String? {
        struct Body: Decodable {
            struct Detail: Decodable {
                var message: String?
                var field: String?
                var code: String?

                enum CodingKeys: CodingKey { case message, field, code }

                init(from decoder: any Decoder) throws {
                    if let text = try? decoder.singleValueContainer().decode(String.self) {
                        message = text
                        return
                    }
                    let container = try decoder.container(keyedBy: CodingKeys.self)
                    message = try? container.decode(String.self, forKey: .message)
                    field = try? container.decode(String.self, forKey: .field)
                    code = try? container.decode(String.self, forKey: .code)
                }
            }

            /// GitLab says one text, a list of texts, or lists of texts by field.
            var texts: [String] = []

            enum CodingKeys: CodingKey { case message, error, error_description, errors }

            init(from decoder: any Decoder) throws {
                let container = try decoder.container(keyedBy: CodingKeys.self)
                if let text = try? container.decode(String.self, forKey: .message) { texts.append(text) }
                if let list = try? container.decode([String].self, forKey: .message) { texts += list }
                if let fields = try? container.decode([String: [String]].self, forKey: .message) {
                    texts += fields.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.joined(separator: ", "))" }
                }
                if let text = try? container.decode(String.self, forKey: .error) { texts.append(text) }
                if let text = try? container.decode(String.self, forKey: .error_description) { texts.append(text) }
                for detail in (try? container.decode([Detail].self, forKey: .errors)) ?? [] {
                    let text = detail.message ?? [detail.field, detail.code].compactMap { $0 }.joined(separator: " ")
                    if !text.isEmpty { texts.append(text) }
                }
            }
        }
        var text: String
        if let body = try? JSONDecoder().decode(Body.self, from: Data(body)), !body.texts.isEmpty {
            text = body.texts.joined(separator: "; ")
        } else {
            return nil
        }
        if !token.isEmpty { text = Self.replacing(token, in: text) }
        let shown = String.UnicodeScalarView(
            text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 })
        return String(String(shown).prefix(500))
    }

    /// A host that repeats what it was sent must not bring the token into a log.
    private static func replacing(_ secret: String, in text: String) -> String {
        let (bytes, needle) = (Array(text.utf8), Array(secret.utf8))
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index...].starts(with: needle) {
                result += Array("***".utf8)
                index += needle.count
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

extension ForgeProject {
    /// A URL of the API: the parts of the path and the values of the query are encoded.
    func url(_ parts: [String], _ query: [(String, String)] = []) throws(ForgeError) -> HTTPURL {
        var text = api.text
        while text.hasSuffix("/") { text.removeLast() }
        for part in parts { text += "/" + Self.encoded(part) }
        if !query.isEmpty { text += "?" + query.map { "\($0)=\(Self.encoded($1))" }.joined(separator: "&") }
        do {
            return try HTTPURL(text)
        } catch {
            throw ForgeError(error)
        }
    }

    private static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        let bytes = text.utf8.flatMap { byte -> [UInt8] in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                [byte]
            default: [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
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
