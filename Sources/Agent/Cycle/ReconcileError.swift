package import Diagnostics

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

extension ReconcileError {
    /// A failure that its phase tells the disposition of.
    init(_ error: any Diagnostic, subject: String? = nil, in phase: Phase) {
        self.init(
            phase: phase, subject: subject, disposition: Disposition(of: error, in: phase), underlying: error)
    }
}
