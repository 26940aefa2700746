import CGit2
import Diagnostics

/// What went wrong with a repository, a remote or an object.
///
/// URLs in it never carry user information or query strings.
package struct GitError: Diagnostic, Equatable {
    /// The class of a failure, for callers that decide between trying again and giving up.
    package enum Code: String, Sendable, CaseIterable {
        /// The repository, commit or path does not exist.
        case notFound
        /// The repository exists, the branch does not; the hint lists those that do.
        case branchNotFound
        /// The server wants credentials, or refused the ones it got.
        case authentication
        /// The SSH server's key is in no known_hosts file.
        case hostKeyUnknown
        /// The SSH server's key differs from the recorded one, or is revoked.
        case hostKeyMismatch
        /// The TLS server's certificate could not be verified.
        case certificate
        /// The server could not be reached, or the conversation with it broke off.
        case network
        /// The server said nothing for too long.
        case timeout
        /// The server refused the push for a reason of its own: a hook, a protected branch.
        case refused
        /// The local mirror is damaged; the next fetch makes it anew.
        case corrupt
        /// Another process uses the mirror.
        case locked
        /// An argument or an object is not what it must be.
        case invalid
        /// The edits leave the tree as it is.
        case unchanged
        /// An object is larger than the caller's limit.
        case tooLarge
        /// The remote asks for something that this program does not do.
        case unsupported
        /// The local disk refused to be read or written.
        case storage
        /// A commit's signature is missing or not one that is trusted.
        case unverified
        /// A key for signing or verifying cannot be used.
        case signing
        /// The task was cancelled.
        case cancelled
    }

    package var code: Code
    package var summary: String
    package var place: String?
    package var cause: String?
    package var hint: String?

    package init(_ code: Code, _ summary: String, place: String? = nil, cause: String? = nil, hint: String? = nil) {
        self.code = code
        self.summary = summary
        self.place = place
        self.cause = cause
        self.hint = hint
    }
}

extension GitError {
    /// The error of the libgit2 call that has just returned `status` on this thread.
    ///
    /// libgit2 keeps its last error per thread, so this must run before any suspension.
    static func last(_ status: Int32, _ summary: String, place: String? = nil, hint: String? = nil) -> GitError {
        var message = ""
        var category = Int(GIT_ERROR_NONE.rawValue)
        if Library.isLoaded, let error = git_error_last() {
            category = Int(error.pointee.klass)
            if let text = error.pointee.message { message = String(cString: text) }
        }
        return GitError(
            code(status: status, category: category, message: message), summary, place: place,
            cause: message.isEmpty ? "libgit2 returned \(status)" : Redaction.urls(in: message),
            hint: hint ?? (isOfFullDisk(message) ? DiskSpace.hint : nil))
    }

    private static func isOfFullDisk(_ message: String) -> Bool {
        message.contains("No space left") || message.contains("Disk quota exceeded")
    }

    private static func code(status: Int32, category: Int, message: String) -> Code {
        if isOfFullDisk(message) || message.contains("Permission denied") || message.contains("Read-only file system") {
            return .storage
        }
        switch status {
        case GIT_ENOTFOUND.rawValue: return .notFound
        case GIT_EAUTH.rawValue: return .authentication
        case GIT_ECERTIFICATE.rawValue: return .certificate
        case GIT_EMISMATCH.rawValue: return .corrupt
        case GIT_EINVALIDSPEC.rawValue, GIT_EINVALID.rawValue: return .invalid
        case GIT_EUSER.rawValue: return .cancelled
        case GIT_EEOF.rawValue: return .network
        default: break
        }
        switch category {
        case Int(GIT_ERROR_NET.rawValue), Int(GIT_ERROR_HTTP.rawValue), Int(GIT_ERROR_SSH.rawValue): return .network
        case Int(GIT_ERROR_SSL.rawValue): return .certificate
        case Int(GIT_ERROR_ODB.rawValue), Int(GIT_ERROR_ZLIB.rawValue), Int(GIT_ERROR_OBJECT.rawValue),
            Int(GIT_ERROR_TREE.rawValue), Int(GIT_ERROR_INDEXER.rawValue), Int(GIT_ERROR_REPOSITORY.rawValue):
            return .corrupt
        case Int(GIT_ERROR_OS.rawValue), Int(GIT_ERROR_FILESYSTEM.rawValue): return .storage
        default: return .invalid
        }
    }
}

/// Calls libgit2 and turns a negative status into the error that it left behind.
func check(_ summary: @autoclosure () -> String, place: String? = nil, _ call: () -> Int32) throws(GitError) {
    let status = call()
    guard status < 0 else { return }
    throw .last(status, summary(), place: place)
}
