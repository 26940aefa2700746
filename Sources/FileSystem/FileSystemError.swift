import Diagnostics
import Glibc

/// A failed call on the file system: what was tried, on which path, and what the kernel said.
package struct FileSystemError: Diagnostic, Equatable {
    /// What was tried, as "open the file", to be read after "cannot".
    package var operation: String
    /// The path as given; bytes that are not UTF-8 are shown as replacement characters.
    package var path: String
    /// The kernel's `errno`.
    package var code: Int32

    package init(_ operation: String, path: String, code: Int32) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    package var summary: String { "cannot \(operation)" }
    package var place: String? { path }
    package var cause: String? { errorText(code) }

    package var hint: String? {
        switch code {
        case ENOSPC, EDQUOT: "make room on the disk"
        case EACCES, EPERM, EROFS: "the path must be accessible to the user that runs slipway"
        case EMFILE, ENFILE: "raise the limit on open files (ulimit -n)"
        default: nil
        }
    }

    package var isNotFound: Bool { code == ENOENT || code == ENOTDIR }
}

/// The kernel's words for an error number.
package func errorText(_ code: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
