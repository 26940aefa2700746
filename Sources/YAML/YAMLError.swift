package import Diagnostics

/// Why a text is not the YAML that was asked for: where, what is wrong there, and what to write instead.
///
/// Typed decoding uses the same error, so that a typing mistake in a configuration file and a syntax error read alike.
package struct YAMLError: Diagnostic, Equatable {
    package enum Code: Sendable, Hashable {
        /// Not YAML at all: the scanner or the parser refused it.
        case syntax
        /// Not UTF-8 (UTF-16 with a byte order mark, invalid sequences, control characters).
        case encoding
        /// Larger, deeper, or of more nodes than the limits allow; also aliases that would expand beyond them.
        case limit
        /// An alias without its anchor, or one inside the node that it names.
        case alias
        case duplicateKey
        case unknownKey
        case missingKey
        /// A mapping where a text was expected, and the like.
        case type
        /// Of the right type, but no value that is allowed there.
        case value
    }

    package let code: Code
    /// One line, no final full stop; carries no values of the file except short scalars that were refused.
    package let summary: String
    package let location: SourceLocation?
    /// The path of keys to the node, `repositories[0].url`; empty at the top and for syntax errors.
    package let path: String
    /// The guilty line with a caret. `nil` where the line may hold a secret.
    package let excerpt: String?
    package let hint: String?

    package init(
        code: Code, summary: String, location: SourceLocation?, path: String = "", excerpt: String? = nil,
        hint: String? = nil
    ) {
        self.code = code
        self.summary = summary
        self.location = location
        self.path = path
        self.excerpt = excerpt
        self.hint = hint
    }

    package var place: String? { location?.description }

    package var description: String {
        var text = ""
        if let place { text += "\(place): " }
        text += summary
        if let excerpt { text += "\n\(excerpt)" }
        if let hint { text += "\n  hint: \(hint)" }
        return text
    }
}
