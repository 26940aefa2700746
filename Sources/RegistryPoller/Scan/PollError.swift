import Diagnostics
import Glibc
import OCI
import Registry
import Text

/// Why a repository could not be scanned. There is no partial inventory: a tag that is missing from it would be taken
/// for one that does not exist.
package struct PollError: Diagnostic, Equatable {
    package enum Code: Sendable, Hashable {
        /// The list of tags could not be read.
        case list
        /// A manifest or a configuration could not be read.
        case read
        case cancelled
    }

    package let code: Code
    package let summary: String
    package let place: String?
    package let cause: String?
    package let hint: String?
    /// Whether the same scan may succeed a moment later.
    package let isTransient: Bool

    package init(_ code: Code, _ summary: String, place: String? = nil, cause: String? = nil, isTransient: Bool) {
        self.code = code
        self.summary = summary
        self.place = place
        self.cause = cause
        hint = nil
        self.isTransient = isTransient
    }

    init(_ code: Code, _ error: RegistryError, of location: RepositoryLocation, tag: String? = nil) {
        self.code = error.code == .cancelled ? .cancelled : code
        summary = tag.map { "tag '\(printable($0))' cannot be read" } ?? "the tags cannot be listed"
        place = error.place ?? "\(location)"
        // The registry client may use the same words.
        let words = [error.summary == summary ? nil : error.summary, error.cause].compactMap(\.self)
        cause = words.isEmpty ? nil : words.joined(separator: ": ")
        hint = error.code == .rateLimited ? error.retryAfter.map(Self.wait) ?? error.hint : error.hint
        isTransient = error.isTransient
    }

    /// Until when a registry asks to be left alone, by the clock, the minute rounded up.
    private static func wait(for seconds: Int) -> String {
        let minutes = (Int(time(nil)) + min(max(0, seconds), 1 << 30) + 59) / 60 % (24 * 60)
        let digits = [minutes / 60, minutes % 60].map { $0 < 10 ? "0\($0)" : "\($0)" }
        return "the registry asks to wait until \(digits[0]):\(digits[1]) UTC"
    }
}
