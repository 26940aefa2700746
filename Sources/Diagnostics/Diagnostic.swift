/// An error written for the person who has to act on it: what failed, where, why, and what to do next.
///
/// Every module throws its own error type and conforms it to this protocol; the command line and the logs
/// render all of them the same way.
package protocol Diagnostic: Error, Sendable, CustomStringConvertible {
    /// What failed, in one line without a final full stop.
    var summary: String { get }
    /// Where: `file:line:column`, a URL, a reference, a workload. `nil` when the summary says it.
    var place: String? { get }
    /// Why: the underlying message (of the registry, of the kernel, of the library).
    var cause: String? { get }
    /// What the reader can do about it.
    var hint: String? { get }
}

extension Diagnostic {
    package var place: String? { nil }
    package var cause: String? { nil }
    package var hint: String? { nil }

    /// `place: summary: cause` on one line, then the hint on its own.
    package var description: String {
        var text = ""
        if let place { text += "\(place): " }
        text += summary
        // An excerpt of a file begins on a line of its own.
        if let cause, !cause.isEmpty { text += cause.utf8.first == 0x0a ? cause : ": \(cause)" }
        if let hint, !hint.isEmpty { text += "\n  hint: \(hint)" }
        return text
    }
}
