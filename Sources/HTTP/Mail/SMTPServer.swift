import Diagnostics

/// A server that takes mail (RFC 5321).
package struct SMTPServer: Sendable, Equatable {
    package enum Security: String, Sendable, CaseIterable {
        /// TLS from the first byte (RFC 8314), usually at port 465.
        case tls
        /// STARTTLS (RFC 3207), without which nothing is sent, usually at port 587.
        case startTLS = "starttls"
        /// No encryption, and hence no password.
        case none

        package var port: Int {
            switch self {
            case .tls: 465
            case .startTLS: 587
            case .none: 25
            }
        }
    }

    package var host: String
    package var port: Int
    package var security: Security
    package var username: String?
    package var password: String?
    /// Certificates (PEM) that are trusted instead of the system's.
    package var certificateBundle: String?
    /// By what name the client greets.
    package var helloName: String

    package init(host: String, port: Int? = nil, security: Security = .startTLS, helloName: String) {
        self.host = host
        self.port = port ?? security.port
        self.security = security
        self.helloName = helloName
    }

    package var authority: String { "\(host.contains(":") ? "[\(host)]" : host):\(port)" }
}

/// A mail that a server did not take.
package struct SMTPError: Diagnostic, Equatable {
    package let summary: String
    package let cause: String?
    package let hint: String?
    /// The server's last reply, where it refused something.
    package let reply: Int?
    /// Whether the same mail may be taken later: the network, and replies of 4xx (RFC 5321, 4.2.1).
    package let isTransient: Bool

    init(
        _ summary: String, cause: String? = nil, hint: String? = nil, reply: Int? = nil, isTransient: Bool = false
    ) {
        self.summary = summary
        self.cause = cause
        self.hint = hint
        self.reply = reply
        self.isTransient = isTransient
    }
}
