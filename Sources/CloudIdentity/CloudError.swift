import Diagnostics

/// An identity that is there, and cannot be used. No secrets are in it.
package struct CloudError: Diagnostic, Equatable {
    package let summary: String
    package let place: String?
    package let cause: String?
    package let hint: String?
    /// Whether the same may work a moment later.
    package let isTransient: Bool

    package init(
        _ summary: String, place: String? = nil, cause: String? = nil, hint: String? = nil, isTransient: Bool = false
    ) {
        self.summary = summary
        self.place = place
        self.cause = cause
        self.hint = hint
        self.isTransient = isTransient
    }
}
