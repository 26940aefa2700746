import Diagnostics

/// A request that got no usable answer. An answer with a status of failure is not an error here.
///
/// URLs in it carry neither user information nor a query.
package struct HTTPError: Diagnostic, Equatable {
    package enum Code: Sendable, Hashable {
        /// The request cannot be sent as it is: the URL, a header, the file of its body.
        case invalidRequest
        /// The URL is `http:`, and its host is not declared as insecure or speaks TLS (`TransportPolicy`).
        case plainHTTPRefused
        case cannotResolve
        case cannotConnect
        /// No connection in time.
        case connectTimeout
        /// Connected, but for too long no bytes moved.
        case stalled
        /// The host's certificate is not trusted.
        case certificate
        /// What answers does not speak TLS.
        case notTLS
        case tls
        /// The connection broke before the answer was complete.
        case interrupted
        case proxy
        /// A redirection that is not followed: too many, or to where it must not lead.
        case redirect
        /// More header or body bytes than allowed.
        case tooLarge
        /// The receiver of the body stopped the transfer.
        case receiverStopped
        case cancelled
        case other
    }

    package let code: Code
    package let summary: String
    package let place: String?
    package let cause: String?
    package let hint: String?
    /// The host, as the `Host` header has it, that the error is about. After a redirection it is not the one that was asked
    /// for.
    package let host: String?

    package init(
        _ code: Code, _ summary: String, place: String? = nil, cause: String? = nil, hint: String? = nil,
        host: String? = nil
    ) {
        self.code = code
        self.summary = summary
        self.place = place
        self.cause = cause
        self.hint = hint
        self.host = host
    }

    /// Whether the same request may succeed when sent again a moment later.
    package var isTransient: Bool {
        switch code {
        case .cannotResolve, .cannotConnect, .connectTimeout, .stalled, .interrupted, .other: true
        case .invalidRequest, .plainHTTPRefused, .certificate, .notTLS, .tls, .proxy, .redirect, .tooLarge,
            .receiverStopped, .cancelled:
            false
        }
    }
}
