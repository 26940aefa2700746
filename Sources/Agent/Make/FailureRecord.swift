package import Diagnostics

/// What failed, and when it is tried again.
package struct FailureRecord: Sendable, Equatable, Codable {
    package let key: PipelineKey
    package var kind: FailureKind
    /// What was built: the content key; where the failure came before there was one, a text that changes with the input.
    package var contentKey: String
    /// How often it failed in a row.
    package var attempts: Int
    /// In seconds since 1970, as the other times.
    package var firstAt: Int64
    package var lastAt: Int64
    /// `nil`: not before its content changes.
    package var nextAt: Int64?
    /// The version of Slipway that failed: another one may be able to do it.
    package var version: String
    package var reason: Reason

    /// The error's own words, shortened.
    package struct Reason: Sendable, Equatable, Codable {
        /// As in `BuildError.Code`, or of the module that failed.
        package let code: String
        package let summary: String
        package let place: String?
        package let cause: String?
        package let hint: String?

        /// - Parameter code: a word for programs.
        package init(code: String, _ error: some Diagnostic) {
            self.code = BoundedText.ends(of: code, limit: 100)
            summary = BoundedText.ends(of: error.summary, limit: 1_000)
            place = error.place.map { BoundedText.ends(of: $0, limit: 1_000) }
            cause = error.cause.map { BoundedText.ends(of: $0, limit: 4_000) }
            hint = error.hint.map { BoundedText.ends(of: $0, limit: 1_000) }
        }
    }
}
