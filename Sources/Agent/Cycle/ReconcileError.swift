package import Diagnostics
import Text

/// A failure of the cycle: the phase, whose it is, and the error of the module below, which explains itself.
package struct ReconcileError: Diagnostic {
    package let phase: Phase
    /// The pipeline or the file that failed; `nil` when the whole cycle did.
    package let subject: String?
    package let disposition: Disposition
    package let underlying: any Diagnostic
    /// What is remembered of a build that failed.
    let remembered: RememberedFailure?

    package init(
        phase: Phase, subject: String? = nil, disposition: Disposition = .retry, underlying: any Diagnostic
    ) {
        self.init(phase: phase, subject: subject, disposition: disposition, underlying: underlying, remembered: nil)
    }

    init(
        phase: Phase, subject: String? = nil, disposition: Disposition, underlying: any Diagnostic,
        remembered: RememberedFailure?
    ) {
        self.phase = phase
        self.subject = subject
        self.disposition = disposition
        self.underlying = underlying
        self.remembered = remembered
    }

    /// A failure that its phase tells the disposition of.
    init(_ error: any Diagnostic, subject: String? = nil, in phase: Phase) {
        self.init(
            phase: phase, subject: subject, disposition: Disposition(of: error, in: phase), underlying: error)
    }

    package var summary: String { underlying.summary }
    package var place: String? { underlying.place ?? subject }
    package var cause: String? { underlying.cause }
    package var hint: String? { underlying.hint }
}

/// A build's failure as it is remembered, told as an error again.
struct RememberedFailure: Diagnostic {
    /// Whether it failed just now, and not in an earlier cycle.
    let isNew: Bool
    let attempts: Int
    /// Seconds since 1970, as the time below.
    let since: Int64
    /// When it is tried again; `nil`: not before its content changes, or somebody asks for it.
    let nextAt: Int64?
    private let reason: FailureRecord.Reason
    private let key: PipelineKey

    init(_ record: FailureRecord, isNew: Bool) {
        self.isNew = isNew
        attempts = record.attempts
        since = record.firstAt
        nextAt = record.nextAt
        reason = record.reason
        key = record.key
    }

    var summary: String { reason.summary }
    var place: String? { reason.place }
    var cause: String? { reason.cause }
    var hint: String? {
        let next =
            nextAt.map { "it is tried again at \(UTCDate(secondsSince1970: $0).rfc3339)" }
            ?? "the same content is not built again: push a change, or run 'slipway retry \(key.repository) \(key.pipeline)'"
        return reason.hint.map { "\($0); \(next)" } ?? next
    }
}
