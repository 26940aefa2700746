import Diagnostics
import HTTP

/// A call to a code host's API that did not do what it was to do. Tokens are never in it.
package struct ForgeError: Diagnostic, Equatable {
    package enum Code: Sendable, Hashable {
        /// The configuration does not say enough, or what no host takes.
        case invalid
        /// The token is missing, wrong, or may not do this.
        case authentication
        case notFound
        /// The host asks to wait.
        case rateLimited
        /// The host refuses this request for a reason of its own.
        case refused
        /// A rule of the repository is in the way: a protected branch, a policy.
        case policy
        /// The host could not be reached, or answers with a failure of its own.
        case unavailable
        /// The answer is not what the host's API documents.
        case unexpectedAnswer
    }

    package let code: Code
    package let summary: String
    package let place: String?
    package let cause: String?
    package let hint: String?
    /// The status of the host's answer.
    let status: Int?
    /// The host's time when it answered, in seconds since 1970.
    let hostTime: Int64?

    init(
        _ code: Code, _ summary: String, place: String? = nil, cause: String? = nil, hint: String? = nil,
        status: Int? = nil, hostTime: Int64? = nil
    ) {
        self.code = code
        self.summary = summary
        self.place = place
        self.cause = cause
        self.hint = hint
        self.status = status
        self.hostTime = hostTime
    }

    /// A token or a key that is not there, or cannot be used.
    package init(credential summary: String, place: String? = nil, cause: String? = nil, hint: String? = nil) {
        self.init(.authentication, summary, place: place, cause: cause, hint: hint)
    }

    /// Whether the host was busy with the same thing.
    package var isConflict: Bool { status == 409 }

    /// For a reason within a sentence.
    package var words: String { cause ?? summary }

    /// The same of one pull request among several, which the host is asked about at one URL.
    package func about(_ subject: String) -> ForgeError {
        let cause = [cause, place.map { "(\($0))" }].compactMap { $0 }.joined(separator: " ")
        return ForgeError(
            code, summary, place: subject, cause: cause.isEmpty ? nil : cause, hint: hint, status: status)
    }

    init(_ error: HTTPError) {
        self.init(.unavailable, error.summary, place: error.place, cause: error.cause, hint: error.hint)
    }
}
