import Diagnostics

/// A policy's text that cannot be used. Nothing is selected by such a policy: one that does not say what it means must
/// not match everything.
package struct PolicyError: Diagnostic, Equatable {
    package enum Code: Sendable, Hashable {
        /// The part after the prefix is not what the prefix announces.
        case invalid
        /// Understood, but not offered.
        case unsupported
    }

    package let code: Code
    package let summary: String
    package let cause: String?
    package let hint: String?

    init(_ code: Code, _ summary: String, cause: String? = nil, hint: String? = nil) {
        self.code = code
        self.summary = summary
        self.cause = cause
        self.hint = hint
    }
}
