import ContentStore
import Diagnostics
import Glibc
import HTTP
import OCI

/// What kept an image from being read from or written to a repository.
package struct RegistryError: Diagnostic, Equatable {
    package enum Code: Sendable, Hashable {
        /// No credentials, or wrong ones.
        case unauthorized
        /// Known, but not allowed.
        case denied
        /// Content that must be there is not: a blob, a manifest that an index names.
        case notFound
        /// The blob is neither in the repository nor in the store that it should be sent from.
        case contentMissing
        case rateLimited
        /// The registry cannot be reached or fails.
        case unavailable
        /// No secure connection: certificate, or a host that does not speak TLS.
        case tls
        /// Plain HTTP where it was not declared.
        case plainHTTPRefused
        /// An answer, a document or a layout that is not as the specification says.
        case invalidContent
        /// Bytes that are not those of their digest, or of another number.
        case digestMismatch
        case tooLarge
        /// Several images, and nothing says which.
        case ambiguous
        /// The image exists, but not for the platform wanted.
        case platformMissing
        /// What is asked for is not supported here.
        case unsupported
        /// A credential helper or a file of credentials.
        case credentials
        case io
        case cancelled
    }

    package let code: Code
    package let summary: String
    package var place: String?
    package let cause: String?
    package let hint: String?
    /// The HTTP status of the registry's answer, where there was one.
    package let status: Int?
    /// Seconds that the registry asks to wait.
    package let retryAfter: Int?
    /// Whether the same call may succeed a moment later.
    package let isTransient: Bool

    package init(
        _ code: Code, _ summary: String, place: String? = nil, cause: String? = nil, hint: String? = nil,
        status: Int? = nil, retryAfter: Int? = nil, isTransient: Bool = false
    ) {
        self.code = code
        self.summary = summary
        self.place = place
        self.cause = cause
        self.hint = hint
        self.status = status
        self.retryAfter = retryAfter
        self.isTransient = isTransient
    }
}

extension RegistryError {
    /// A directory was read as a file.
    var isDirectory: Bool { code == .io && cause == String(cString: strerror(EISDIR)) }

    /// A file may not be read by this user.
    var isPermission: Bool { code == .io && cause == String(cString: strerror(EACCES)) }

    /// A request to a registry's host, or to where that led, that got no answer.
    ///
    /// - Parameters:
    ///   - host: the registry's; the error may be about another.
    ///   - summary: what the error's own summary is the cause of.
    init(_ error: HTTPError, host: String, place: String, summary: String? = nil) {
        let host = error.host.map(RegistryConfiguration.canonical) ?? host
        let code: Code
        var hint = error.hint
        switch error.code {
        case .notTLS:
            code = .tls
            hint = "\(host) seems to speak plain HTTP; if that is meant, declare it: \(Self.declaration(host))"
        case .certificate:
            code = .tls
            hint =
                hint
                ?? "name the certificate authority of \(host) in 'caFile', or leave it unchecked with 'skipTLSVerify'"
        case .tls: code = .tls
        case .plainHTTPRefused:
            code = .plainHTTPRefused
            if error.host != nil { hint = "if that is meant, declare it: \(Self.declaration(host))" }
        case .cancelled: code = .cancelled
        case .tooLarge, .redirect: code = .invalidContent
        case .invalidRequest: code = .io
        case .cannotResolve, .cannotConnect, .connectTimeout, .stalled, .interrupted, .proxy, .receiverStopped, .other:
            code = .unavailable
            if error.code == .cannotConnect || error.code == .cannotResolve {
                hint = hint ?? "check that the registry runs and that its name is right"
            }
        }
        self.init(
            code, summary ?? error.summary, place: place,
            cause: summary == nil ? error.cause : error.cause ?? error.summary, hint: hint,
            isTransient: error.isTransient)
    }

    /// How a host is declared as one that speaks plain HTTP.
    private static func declaration(_ host: String) -> String {
        "--insecure-registry \(host), or 'insecure: true' for it under 'registries' in the configuration"
    }

    /// The content store on this machine failed.
    init(_ error: ContentStoreError, place: String) {
        let code: Code =
            switch error.code {
            case .notFound: .contentMissing
            case .digestMismatch, .sizeMismatch: .digestMismatch
            case .tooLarge: .tooLarge
            case .io: .io
            }
        self.init(
            code, error.summary, place: place,
            cause: [error.place, error.cause].compactMap { $0 }.joined(separator: ": "), hint: error.hint)
    }

    /// A document that cannot be decoded.
    init(_ error: OCIError, place: String) {
        self.init(.invalidContent, error.summary, place: place, cause: error.cause, hint: error.hint)
    }
}
