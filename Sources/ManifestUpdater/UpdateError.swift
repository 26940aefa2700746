import Diagnostics

/// Why a manifest was not changed. The file stays as it is.
package struct UpdateError: Diagnostic, Equatable {
    package enum Code: Sendable, Hashable {
        /// The changed file, read again, differs in more than the values, or in less.
        case verification
    }

    package let code: Code
    package let summary: String
    package let place: String?
    package let cause: String?
    package let hint: String?

    init(_ code: Code, _ summary: String, place: String?, cause: String? = nil, hint: String? = nil) {
        self.code = code
        self.summary = summary
        self.place = place
        self.cause = cause
        self.hint = hint
    }
}
