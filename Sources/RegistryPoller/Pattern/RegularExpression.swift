import Text

/// A regular expression in RE2's syntax, as Flux, Argo CD and Keel take it, matched in linear time.
///
/// No library of Debian's fits: RE2 has no C interface, and a backtracking one (PCRE2, Swift's own) means other things by
/// the same text, and can be made to run for years by it.
package struct RegularExpression: Hashable, Sendable, CustomStringConvertible {
    package let pattern: String
    let program: RegexProgram
    /// One a group, the whole match first; `nil` for groups without a name.
    let groupNames: [String?]

    /// Bytes that a pattern may have: it is foreign text.
    private static let limit = 4_096

    /// - Throws: `invalid` with the place in the pattern when it is not in RE2's syntax: lookaround, backreferences,
    ///   possessive quantifiers and atomic groups are not.
    package init(_ pattern: String) throws(PolicyError) {
        func refuse(_ cause: String, _ hint: String? = nil) -> PolicyError {
            PolicyError(
                .invalid, "'\(printable(pattern))' cannot be used as a regular expression", cause: cause, hint: hint)
        }
        guard pattern.utf8.count <= Self.limit else { throw refuse("it is longer than \(Self.limit) bytes") }
        var parser = RegexParser(pattern)
        let node: RegexNode
        do throws(RegexParser.Failure) {
            node = try parser.parse()
        } catch {
            throw refuse("\(error.cause) (at character \(error.position))", error.hint)
        }
        guard let program = try? RegexProgram(node) else {
            throw refuse("its repetitions make it too large", "ask for fewer copies in braces")
        }
        self.program = program
        self.pattern = pattern
        groupNames = parser.groups
    }

    package var description: String { pattern }

    package static func == (left: RegularExpression, right: RegularExpression) -> Bool {
        left.pattern == right.pattern
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(pattern) }

    /// Whether the text has a match anywhere. For many texts a `RegexMatcher` is kept.
    package func matches(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { RegexMatcher(self).matches($0) }
    }

    /// The groups of the first match, the whole match first, `nil` for those that took no part; `nil` without a match.
    package func groups(in text: String) -> [String?]? {
        groupRanges(in: text)?.map { range in
            range.map { String(decoding: Array(text.utf8)[$0], as: UTF8.self) }
        }
    }

    /// The same as places in the text's UTF-8.
    package func groupRanges(in text: String) -> [Range<Int>?]? {
        var text = text
        return text.withUTF8 { bytes in
            let matcher = RegexMatcher(self)
            guard matcher.capture(bytes) else { return nil }
            return groupNames.indices.map { matcher.group($0) }
        }
    }
}
