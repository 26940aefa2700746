import Diagnostics

/// A failure of the agent's own, where no module below has one to tell.
package struct AgentError: Diagnostic {
    package let summary: String
    package var place: String?
    package var cause: String?
    package var hint: String?
    /// Whose failure it is, where a module below failed; `nil` for what the agent itself refuses.
    package private(set) var kind: FailureKind?

    package init(_ summary: String, place: String? = nil, cause: String? = nil, hint: String? = nil) {
        self.summary = summary
        self.place = place
        self.cause = cause
        self.hint = hint
    }
}

/// Runs a step of another module, and tells its failure as the agent's own.
package func explained<Value>(_ body: () async throws -> Value) async throws(AgentError) -> Value {
    do {
        return try await body()
    } catch let error as AgentError {
        throw error
    } catch let error as any Diagnostic {
        throw AgentError(failing: error)
    } catch {
        throw AgentError("\(error)")
    }
}

extension AgentError {
    /// Another module's failure as the agent's own.
    init(failing error: any Diagnostic, place: String? = nil, hint: String? = nil) {
        self.init(error.summary, place: place ?? error.place, cause: error.cause, hint: error.hint ?? hint)
        kind = Disposition.kind(of: error)
    }
}
