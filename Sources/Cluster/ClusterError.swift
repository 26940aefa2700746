import Diagnostics
import HTTP
import JSON
import Text

/// A call to a Kubernetes API server that did not do what it was to do. Tokens and keys are never in it.
package struct ClusterError: Diagnostic, Equatable {
    package enum Code: String, Sendable, Hashable {
        /// The kubeconfig, the service account or a flag does not say enough, or what cannot be used.
        case configuration
        /// The server does not know who asks (401).
        case unauthorized
        /// Who asks may not do this (403).
        case forbidden
        case notFound
        /// Somebody else changed the object, owns the fields, or made it already (409).
        case conflict
        /// A resource version that the server has forgotten (410).
        case gone
        /// The server refuses the object (400, 405, 415, 422).
        case invalid
        /// The server asks to wait (429).
        case rateLimited
        /// The server could not be reached, or answers with a failure of its own.
        case unavailable
        /// The answer is not what the API documents.
        case unexpectedAnswer
        case cancelled
    }

    package let code: Code
    package let summary: String
    package let place: String?
    package let cause: String?
    package let hint: String?
    /// Seconds that the server asks to wait.
    package var retryAfter: Int?
    /// `details.causes` of the server's `Status`: which fields, and why.
    package var details: [Detail] = []

    package struct Detail: Sendable, Hashable {
        /// `FieldManagerConflict`, `FieldValueInvalid`, …
        package let reason: String
        package let message: String
        package let field: String
    }

    package init(
        _ code: Code, _ summary: String, place: String? = nil, cause: String? = nil, hint: String? = nil
    ) {
        self.code = code
        self.summary = summary
        self.place = place
        self.cause = cause
        self.hint = hint
    }

    init(_ error: HTTPError) {
        self.init(
            error.code == .cancelled ? .cancelled : .unavailable, error.summary, place: error.place, cause: error.cause,
            hint: error.hint)
    }

    /// What an answer with a status of failure says: a `Status` object (meta/v1), or whatever a proxy in between wrote.
    init(_ response: HTTPResponse, _ what: String, at place: HTTPURL) {
        let status = (try? JSONReader.read(response.body)) ?? .null
        let isStatus = status["kind"].text == "Status"
        let message = isStatus ? status["message"].text.map { printable($0, limit: 2_000) } : nil
        let code = Self.code(of: response.status, reason: status["reason"].text)
        self.init(
            code, what, place: place.description, cause: message ?? "the server answered \(response.status)",
            hint: Self.hint(for: code))
        retryAfter =
            RetryAfter.seconds(response.headers) ?? status["details"]["retryAfterSeconds"].integer.map { Int($0) }
        details = status["details"]["causes"].items.prefix(100).map {
            Detail(
                reason: printable($0["reason"].text ?? "", limit: 100),
                message: printable($0["message"].text ?? "", limit: 1_000),
                field: printable($0["field"].text ?? "", limit: 500))
        }
    }

    private static func code(of status: Int, reason: String?) -> Code {
        switch status {
        case 401: .unauthorized
        case 403: .forbidden
        case 404: .notFound
        case 409: .conflict
        case 410: .gone
        case 429: .rateLimited
        case 400 where reason == "Expired": .gone
        case 400, 405, 406, 413, 415, 422: .invalid
        case 500...599: .unavailable
        default: .unexpectedAnswer
        }
    }

    private static func hint(for code: Code) -> String? {
        switch code {
        case .unauthorized: "check the token or certificate of the kubeconfig or the service account"
        case .forbidden: "give the service account a Role or ClusterRole that allows it"
        default: nil
        }
    }

    /// Whether the same request may succeed when it is sent again a moment later.
    package var isTransient: Bool { code == .unavailable || code == .rateLimited }
}
