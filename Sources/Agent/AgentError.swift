import Diagnostics

/// A failure of the agent's own, where no module below has one to tell.
package struct AgentError: Diagnostic {
    package let summary: String
    package var place: String?
    package var cause: String?
    package var hint: String?

    package init(_ summary: String, place: String? = nil, cause: String? = nil, hint: String? = nil) {
        self.summary = summary
        self.place = place
        self.cause = cause
        self.hint = hint
    }
}
