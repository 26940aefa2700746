package import Diagnostics

/// What is wrong with a Dockerfile, an ignore file or a pattern, where, and what to write instead.
package struct DockerfileError: Diagnostic, Equatable {
    package enum Code: String, Sendable {
        /// The file, a line, a word or a number of things is beyond what any honest file has.
        case limit
        case directive
        case heredoc
        /// No instruction, no stage, or something before the first FROM.
        case structure
        case unknownInstruction
        case flag
        /// Too few or too many arguments, or a value that is not of the right kind.
        case argument
        /// A JSON array with something else than strings in it, or none where one is demanded.
        case json
        /// `ENV` or `LABEL` without a value.
        case keyValue
        /// A word that cannot be expanded: quotes, braces, modifiers, `${v:?}`.
        case expansion
        case mount
        case stageName
        /// A base, `--from` or target that does not name anything usable.
        case reference
        case cycle
        case platform
        case onbuild
        /// A glob or an ignore pattern.
        case pattern
    }

    package var code: Code
    package var summary: String
    package var location: SourceLocation?
    /// The guilty line with a caret.
    package var excerpt: String?
    package var cause: String?
    package var hint: String?
    /// The text that is to blame, by which the place is found.
    var near: String?

    package init(
        _ code: Code, _ summary: String, location: SourceLocation? = nil, excerpt: String? = nil, cause: String? = nil,
        hint: String? = nil
    ) {
        self.code = code
        self.summary = summary
        self.location = location
        self.excerpt = excerpt
        self.cause = cause
        self.hint = hint
    }

    init(_ code: Code, _ summary: String, near: String?, hint: String? = nil) {
        self.init(code, summary, hint: hint)
        self.near = near
    }

    package var place: String? { location?.description }

    /// `place: summary: cause`, the line with a caret, then the hint.
    package var description: String {
        var text = ""
        if let place { text += "\(place): " }
        text += summary
        if let cause, !cause.isEmpty { text += ": \(cause)" }
        if let excerpt { text += "\n\(excerpt)" }
        if let hint, !hint.isEmpty { text += "\n  hint: \(hint)" }
        return text
    }

    /// The same error, at its place in the source when it has none yet.
    func located(in source: SourceText, _ range: SourceRange) -> DockerfileError {
        guard location == nil else { return self }
        var copy = self
        let place = near.flatMap { source.location(of: $0, in: range.lines) } ?? range.start
        copy.location = place
        copy.excerpt = source.excerpt(at: place)
        return copy
    }
}

/// Foreign text within a message: in quotes, of bearable length, without control characters.
func quoted(_ text: String) -> String {
    var shown = ""
    for scalar in text.unicodeScalars {
        if shown.utf8.count >= 80 {
            shown += "…"
            break
        }
        shown.unicodeScalars.append(scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value) ? "?" : scalar)
    }
    return "'\(shown)'"
}
