import Agent
import NIOHTTP1

/// Answers the requests of one connection after the other.
protocol RequestAnswering: Sendable {
    func answer(_ request: ServerRequest, _ response: Response) async
    /// The server ends: what answers still depend on is brought to its end.
    func stop() async
}

extension RequestAnswering {
    func stop() async {}
}

/// Finds out what a request asks for, and whether who sends it may.
struct RequestGate: Sendable {
    /// Who may ask for what; `nil` on the agent's socket, where only its own user comes in.
    let access: APIAccess?

    func route(of request: ServerRequest) async throws(ControlError) -> Route {
        guard let path = request.path, let route = Route(path) else {
            throw ControlError(
                .notFound, "there is nothing at this address",
                hint: "there are /, /healthz, /readyz, /metrics and /api/v1/…: docs/agent.md lists them")
        }
        var credentials = request.credentials
        if case .action = route { credentials.formToken = request.form?["token"] ?? "" }
        try await access?.check(credentials, for: route.need)
        let isRight = route.isPost ? request.method == .POST : request.method == .GET || request.method == .HEAD
        guard isRight else {
            throw ControlError(.methodNotAllowed, "use \(route.isPost ? "POST" : "GET or HEAD") here")
        }
        return route
    }

    /// The headers by which a refusal says what would be let in.
    func headers(of error: ControlError, _ request: ServerRequest) -> [(String, String)] {
        switch error.code {
        case .unauthorized:
            // A browser asks its reader for the token that lets him read; the one for more belongs to no browser.
            let scheme = request.path.flatMap(Route.init)?.need == .writing ? "Bearer" : "Basic"
            return [("WWW-Authenticate", "\(scheme) realm=\"slipway\"")]
        case .tooManyAttempts: return [("Retry-After", "60")]
        default: return []
        }
    }
}
