import Diagnostics

/// An object that could not be read. No secrets are in it.
package struct ObjectStorageError: Diagnostic, Equatable {
    package enum Code: Sendable, Hashable {
        /// The location is none.
        case location
        case notFound
        /// The service refuses, or there is no identity where one is needed.
        case denied
        case unavailable
        case tooLarge
        /// The object changed while it was read.
        case changed
        /// The reader wants no more.
        case stopped
        case cancelled
    }

    package let code: Code
    package let summary: String
    package let place: String?
    package let cause: String?
    package let hint: String?

    package init(
        _ code: Code, _ summary: String, place: String? = nil, cause: String? = nil, hint: String? = nil
    ) {
        self.code = code
        self.summary = summary
        self.place = place
        self.cause = cause
        self.hint = hint
    }
}
