import Diagnostics

/// An archive or a compressed stream that cannot be read or written.
package struct ArchiveError: Diagnostic, Equatable {
    package enum Code: Sendable, Hashable {
        /// The bytes are not what they claim to be, or end too early.
        case malformed
        /// A limit was passed: size, number of entries, length of a name.
        case limit
        /// An entry that may not be extracted where it wants to go.
        case forbidden
        /// The kernel refused a file operation.
        case fileSystem
        /// The source or the sink failed.
        case stream
    }

    package let code: Code
    package let summary: String
    /// The entry's name, or the file.
    package var place: String?
    package var cause: String?
    package var hint: String?

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

extension ArchiveError {
    /// A compressed file gives more than it may.
    package static func tooLarge(_ limit: Int64, place: String? = nil) -> ArchiveError {
        ArchiveError(
            .limit, "the content unpacks to more than \(limit) bytes", place: place,
            hint:
                "a small file that unpacks to this much is most likely made to do harm; if it is not, allow more with "
                + "--unpack-limit")
    }
}
