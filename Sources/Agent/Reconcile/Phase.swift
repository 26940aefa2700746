package import Diagnostics

/// The steps of a cycle, in their order.
package enum Phase: String, Sendable, CaseIterable, Codable {
    case sync, discover, changed, plan, execute, push, scan, select, rewrite, commit, publish, record
}

/// What is to happen after a failure.
package enum Disposition: String, Sendable, Codable {
    /// The next cycle tries again.
    case retry
    /// Only a new commit or another configuration can help; the next cycle still looks, and stops at the same place.
    case stalled
}

/// A failure of the cycle: the phase, whose it is, and the error of the module below, which explains itself.
package struct ReconcileError: Diagnostic {
    package let phase: Phase
    /// The pipeline or the file that failed; `nil` when the whole cycle did.
    package let subject: String?
    package let disposition: Disposition
    package let underlying: any Diagnostic

    package init(
        phase: Phase, subject: String? = nil, disposition: Disposition = .retry, underlying: any Diagnostic
    ) {
        self.phase = phase
        self.subject = subject
        self.disposition = disposition
        self.underlying = underlying
    }

    package var summary: String { underlying.summary }
    package var place: String? { underlying.place ?? subject }
    package var cause: String? { underlying.cause }
    package var hint: String? { underlying.hint }
}
