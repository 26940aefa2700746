import Foundation
import Synchronization

/// GitHub as an App sees it: it looks at the App's own token as the documentation says, finds the installation of a repository, and
/// gives tokens for an hour. What else is asked needs the last token that it gave.
package final class FakeGitHubApp: Sendable {
    private struct State {
        var now: Int64 = 1_790_000_000
        var tokens: [String] = []
        var bodies: [String] = []
        var isInstalled = true
        var issuers: [String] = []
        var takenBack: Set<String> = []
        var failures: [StubReply] = []
    }

    private let state: Mutex<State>
    private let tail: String
    private let rest: @Sendable (StubRequest) -> StubReply
    private let server = Mutex<StubServer?>(nil)
    package let repository: String

    /// - Parameters:
    ///   - hasLongTokens: whether tokens are as long as they are since 2026, which is too long for some servers' files of users.
    ///   - rest: answers what is asked with an installation's token.
    package init(
        repository: String = "acme/shop", hasLongTokens: Bool = true,
        rest: @escaping @Sendable (StubRequest) -> StubReply = { _ in .text(200, "[]") }
    ) throws {
        state = Mutex(State())
        self.repository = repository
        self.rest = rest
        tail = String(repeating: "eyJ.-_", count: hasLongTokens ? 85 : 5)
        let weak = Weak(self)
        let made = try StubServer { request in weak.app?.answer(request) ?? .text(503, "gone") }
        server.withLock { $0 = made }
    }

    package var api: String { server.withLock { $0?.url ?? "" } }
    package var requests: [StubRequest] { server.withLock { $0?.requests ?? [] } }
    /// GitHub's clock.
    package var now: Int64 { state.withLock(\.now) }
    /// The tokens that were given.
    package var tokens: [String] { state.withLock(\.tokens) }
    package var bodies: [String] { state.withLock(\.bodies) }
    package var issuers: [String] { state.withLock(\.issuers) }

    package func advance(by seconds: Int64) { state.withLock { $0.now += seconds } }
    package func uninstall() { state.withLock { $0.isInstalled = false } }
    /// The last token counts no more.
    package func takeBack() { state.withLock { state in state.takenBack.formUnion(state.tokens) } }
    package func fail(_ replies: [StubReply]) { state.withLock { $0.failures += replies } }
    package func stop() { server.withLock { $0?.stop() } }

    private func answer(_ request: StubRequest) -> StubReply {
        let failure = state.withLock { $0.failures.isEmpty ? nil : $0.failures.removeFirst() }
        if let failure { return failure }
        let isOfApp =
            request.path.hasPrefix("/app/installations/") || request.path == "/repos/\(repository)/installation"
        guard let authorization = request.headers["authorization"], authorization.hasPrefix("Bearer ") else {
            return error(401, "Requires authentication")
        }
        let token = String(authorization.dropFirst(7))
        guard isOfApp else {
            let counts = state.withLock { $0.tokens.last == token && !$0.takenBack.contains(token) }
            return counts ? rest(request) : error(401, "Bad credentials for \(token)")
        }
        if let problem = problem(with: token) { return error(401, problem) }
        guard state.withLock(\.isInstalled) else { return error(404, "Not Found") }
        guard request.method == "POST" else { return .text(200, #"{"id":42,"app_id":7}"#) }
        guard request.path == "/app/installations/42/access_tokens" else { return error(404, "Not Found") }
        return state.withLock { state in
            state.bodies.append(String(decoding: request.body, as: UTF8.self))
            let text = "ghs_\(state.tokens.count + 1)_" + tail
            state.tokens.append(text)
            let end = Self.date(state.now + 3600, "yyyy-MM-dd'T'HH:mm:ss'Z'")
            return .text(201, #"{"token":"\#(text)","expires_at":"\#(end)","permissions":{"contents":"write"}}"#)
        }
    }

    private func error(_ status: Int, _ message: String) -> StubReply {
        .text(
            status, #"{"message":"\#(message)"}"#,
            headers: [("Date", Self.date(now, "EEE, dd MMM yyyy HH:mm:ss 'GMT'"))])
    }

    /// What is wrong with the App's own token.
    private func problem(with token: String) -> String? {
        let parts = token.split(separator: ".").map(String.init)
        guard parts.count == 3, let header = Self.decoded(parts[0]), header["alg"] as? String == "RS256",
            header["typ"] as? String == "JWT", let claims = Self.decoded(parts[1]), let begin = claims["iat"] as? Int64,
            let end = claims["exp"] as? Int64, let issuer = claims["iss"] as? String
        else { return "A JSON web token could not be decoded" }
        state.withLock { $0.issuers.append(issuer) }
        if begin > now { return "'Issued at' claim ('iat') must be an Integer representing a time before now" }
        if end <= now { return "'Expiration time' claim ('exp') must be a numeric value representing the future time" }
        if end > now + 600 { return "'Expiration time' claim ('exp') is too far in the future" }
        return nil
    }

    private static func decoded(_ part: String) -> [String: Any]? {
        var text = part.replacing("-", with: "+").replacing("_", with: "/")
        while text.count % 4 != 0 { text += "=" }
        return Data(base64Encoded: text).flatMap { try? JSONSerialization.jsonObject(with: $0) as? [String: Any] }
    }

    private static func date(_ seconds: Int64, _ format: String) -> String {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        formatter.dateFormat = format
        return formatter.string(from: Date(timeIntervalSince1970: Double(seconds)))
    }
}

private final class Weak: Sendable {
    weak let app: FakeGitHubApp?

    init(_ app: FakeGitHubApp) { self.app = app }
}
