import Diagnostics

/// Why a template cannot be read or rendered, with its place in the text.
package struct TemplateError: Diagnostic, Equatable {
    package enum Code: Sendable, Hashable {
        /// The text is not a template.
        case syntax
        /// Something of Go's templates that is left out here.
        case unsupported
        /// The template asks for a value that there is not, or does something with it that cannot be done.
        case value
        /// More steps, more text or deeper nesting than a message needs.
        case tooLarge
    }

    package let code: Code
    package let summary: String
    package let place: String?
    package let cause: String?
    package let hint: String?

    init(_ code: Code, _ summary: String, place: String? = nil, cause: String? = nil, hint: String? = nil) {
        self.code = code
        self.summary = summary
        self.place = place
        self.cause = cause
        self.hint = hint
    }
}
