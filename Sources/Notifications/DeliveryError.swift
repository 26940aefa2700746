import Diagnostics

/// A message that its host did not take. Nothing secret is in it: of a URL the host alone.
package struct DeliveryError: Diagnostic, Equatable {
    package enum Retry: Sendable, Equatable {
        /// The same message would fail the same way.
        case never
        /// It may pass. In seconds from now where the host says so.
        case later(after: Int?)
    }

    package let summary: String
    /// The host.
    package let place: String?
    package let cause: String?
    package let hint: String?
    /// The status of an HTTP answer, or the code of an SMTP reply.
    package let status: Int?
    package let retry: Retry

    package init(
        _ summary: String, place: String? = nil, cause: String? = nil, hint: String? = nil, status: Int? = nil,
        retry: Retry = .never
    ) {
        self.summary = summary
        self.place = place
        self.cause = cause
        self.hint = hint
        self.status = status
        self.retry = retry
    }
}

/// What a host answered to a message that it took.
package struct DeliveryReceipt: Sendable, Equatable {
    package let host: String
    /// The status of an HTTP answer, or the code of an SMTP reply.
    package let status: Int?
    /// The beginning of its text.
    package let answer: String

    package init(host: String, status: Int?, answer: String) {
        self.host = host
        self.status = status
        self.answer = answer
    }
}
