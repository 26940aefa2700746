import Diagnostics

/// A value of the image world that is not what its specification says.
package struct OCIError: Diagnostic, Equatable {
    package enum Code: Sendable, Hashable {
        case invalidReference
        case invalidDigest
        case invalidPlatform
        /// A document (manifest, index, configuration) that cannot be decoded.
        case invalidDocument
    }

    package let code: Code
    package let summary: String
    package let cause: String?
    package let hint: String?

    package init(_ code: Code, _ summary: String, cause: String? = nil, hint: String? = nil) {
        self.code = code
        self.summary = summary
        self.cause = cause
        self.hint = hint
    }
}
