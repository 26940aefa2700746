/// Which of a repository's tags to run.
///
/// | text | tags | order |
/// |---|---|---|
/// | `semver:RANGE` | versions in the range | highest version |
/// | `glob:PATTERN` or `PATTERN` | that match the pattern, in which `*` is any text | newest image |
/// | `newest:` or `newest:PATTERN` | the same; any tag without a pattern | newest image |
/// | `alphabetical:asc` or `alphabetical:desc` | all | last or first in byte order |
/// | `numerical:asc` or `numerical:desc` | decimal numbers | highest or lowest |
///
/// `latest`, in any case, is chosen by none but `glob:latest`. The first two rows are Flux v1's patterns, with one
/// difference: where Flux let a range that it could not read match every version, nothing is selected here.
package struct ImagePolicy: Hashable, Sendable, CustomStringConvertible {
    enum Rule: Hashable, Sendable {
        case semver(VersionRange)
        case newest(GlobPattern)
        case alphabetical(Direction)
        case numerical(Direction)
    }

    enum Direction: String, Hashable, Sendable {
        /// The last, the highest wins.
        case ascending = "asc"
        case descending = "desc"
    }

    let rule: Rule
    /// As it was written.
    package let text: String

    package var description: String { text }

    /// Texts longer than this are refused: they come from manifests.
    private static let limit = 1_024

    private static let prefixes = ["semver", "glob", "newest", "alphabetical", "numerical", "regexp", "regex"]

    package static func parse(_ text: String) throws(PolicyError) -> ImagePolicy {
        guard text.utf8.count <= limit else {
            throw PolicyError(.invalid, "the policy is longer than \(limit) characters")
        }
        guard let colon = text.firstIndex(of: ":") else {
            return ImagePolicy(rule: .newest(try pattern(text, in: text)), text: text)
        }
        let rest = String(text[text.index(after: colon)...])
        switch text[..<colon] {
        case "semver": return ImagePolicy(rule: .semver(try VersionRange(rest)), text: text)
        case "glob": return ImagePolicy(rule: .newest(try pattern(rest, in: text)), text: text)
        case "newest":
            return ImagePolicy(rule: .newest(try pattern(rest.isEmpty ? "*" : rest, in: text)), text: text)
        case "alphabetical": return ImagePolicy(rule: .alphabetical(try direction(rest, in: text)), text: text)
        case "numerical": return ImagePolicy(rule: .numerical(try direction(rest, in: text)), text: text)
        case "regexp", "regex":
            throw PolicyError(
                .unsupported, "the policy '\(printable(text))' cannot be used",
                cause: "regular expressions are not offered: they are only safe with an engine that needs linear time",
                hint: "write a glob ('glob:v1.*') or a range of versions ('semver:~1.2')")
        case let unknown:
            // No tag has a colon, so that this cannot be meant as a glob.
            throw PolicyError(
                .invalid, "the policy '\(printable(text))' cannot be used",
                cause: "there is no kind of policy called '\(printable(String(unknown)))'",
                hint: "there are \(prefixes.prefix(5).map { $0 + ":" }.joined(separator: ", ")); a glob needs no prefix"
            )
        }
    }

    private static func pattern(_ glob: String, in text: String) throws(PolicyError) -> GlobPattern {
        guard !glob.isEmpty else {
            throw PolicyError(
                .invalid, "the policy '\(printable(text))' cannot be used",
                cause: "the pattern is empty and matches no tag",
                hint: "write 'glob:*' for any tag")
        }
        return GlobPattern(glob)
    }

    private static func direction(_ word: String, in text: String) throws(PolicyError) -> Direction {
        guard let direction = Direction(rawValue: word.isEmpty ? "asc" : word) else {
            throw PolicyError(
                .invalid, "the policy '\(printable(text))' cannot be used",
                cause: "the order is 'asc' (the last one wins) or 'desc'")
        }
        return direction
    }

    /// Whether the choice depends on when images were made, so that a scan has to read their configurations.
    package var needsCreationTime: Bool {
        if case .newest = rule { true } else { false }
    }
}

/// Foreign text for a message: no control characters, not endless.
func printable(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars.prefix(100) {
        result.unicodeScalars.append(
            scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
                ? "\u{FFFD}" : scalar)
    }
    return text.unicodeScalars.count > 100 ? result + "…" : result
}
