import Diagnostics
import Glibc

/// What kept the content store from doing its work.
package struct ContentStoreError: Diagnostic, Equatable {
    package enum Code: Sendable, Hashable {
        /// The content is not in the store.
        case notFound
        /// The bytes are not those that their name promises.
        case digestMismatch
        case sizeMismatch
        /// More bytes than the caller allows.
        case tooLarge
        /// The file system refused; `errno` says why.
        case io
    }

    package let code: Code
    package let summary: String
    package let place: String?
    package let cause: String?
    package let hint: String?
    /// The system's error number for `io`, else 0.
    package let errno: Int32

    package init(
        _ code: Code, _ summary: String, place: String? = nil, cause: String? = nil, hint: String? = nil,
        errno: Int32 = 0
    ) {
        self.code = code
        self.summary = summary
        self.place = place
        self.cause = cause
        self.hint = hint
        self.errno = errno
    }

    /// The system call that just failed on `path`.
    static func system(_ operation: String, _ path: String, _ number: Int32 = Glibc.errno) -> ContentStoreError {
        let shortage = DiskShortage(errno: number, at: path)
        let hint: String? =
            switch number {
            case ENOSPC, EDQUOT: shortage?.hint(for: "the state directory")
            case EACCES, EPERM, EROFS: "make the directory writable for this user"
            default: nil
            }
        return ContentStoreError(
            .io, "cannot \(operation)", place: path, cause: shortage?.cause ?? String(cString: strerror(number)),
            hint: hint, errno: number)
    }
}
