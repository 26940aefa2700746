import Text

/// Which of a repository's tags to run: filters, what is looked at, and an order.
///
/// | text | tags | order |
/// |---|---|---|
/// | `semver:RANGE` | versions in the range | highest version |
/// | `glob:PATTERN` or `PATTERN` | that match the pattern, in which `*` is any text | newest image |
/// | `regexp:RE` or `regex:RE` | with a match of the expression | newest image |
/// | `newest:` or `newest:PATTERN` | as with a glob; any tag without a pattern | newest image |
/// | `alphabetical:asc` or `alphabetical:desc` | all | last or first in byte order |
/// | `numerical:asc` or `numerical:desc` | decimal numbers | highest or lowest |
/// | `digest:TAG` | that one | |
///
/// `latest`, in any case, is chosen by none but `glob:latest` and `digest:latest`. The first three rows are Flux v1's
/// patterns, with one difference: where Flux let a range or an expression that it could not read match everything, nothing
/// is selected here.
package struct ImagePolicy: Hashable, Sendable, CustomStringConvertible {
    enum Rule: Hashable, Sendable {
        case semver(VersionRange)
        case newest
        case alphabetical(Direction)
        case numerical(Direction)
        case digest(String)
        case keel(KeelLevel, matchPreRelease: Bool)
        /// Keel's `glob:` and `regexp:`; by the group `compare` when there is one.
        case keelPattern(isRegexp: Bool, compares: RegularExpression?)
        case force(matchTag: Bool)
    }

    enum Direction: String, Hashable, Sendable {
        /// The last, the highest wins.
        case ascending = "asc"
        case descending = "desc"
    }

    let rule: Rule
    package let dialect: PolicyDialect
    /// What a tag has to pass, in this order.
    let filters: [TagFilter]
    let extraction: Extraction?
    /// As it was written.
    package let text: String

    package var description: String { text }

    /// Reads the text of an annotation.
    ///
    /// - Parameter dialect: one that has policies as texts: `slipway`, `flux1`, `keel` (`major`, `glob:…`, `regexp:…`) and
    ///   `argocd` (the strategies' names, `semver:CONSTRAINT` and `digest:TAG`).
    package static func parse(
        _ text: String, dialect: PolicyDialect = .slipway
    ) throws(PolicyError) -> ImagePolicy {
        var policy = PolicySpecification(dialect: dialect)
        try policy.read(text)
        let parsed = try ImagePolicy(policy)
        return ImagePolicy(
            rule: parsed.rule, dialect: dialect, filters: parsed.filters, extraction: parsed.extraction, text: text)
    }

    static func pattern(_ glob: String, in text: String) throws(PolicyError) -> GlobPattern {
        guard !glob.isEmpty else {
            throw PolicyError(
                .invalid, "the policy '\(printable(text))' cannot be used",
                cause: "the pattern is empty and matches no tag",
                hint: "write 'glob:*' for any tag")
        }
        return GlobPattern(glob)
    }

    static func direction(_ word: String, in text: String) throws(PolicyError) -> Direction {
        guard let direction = Direction(rawValue: word.isEmpty ? "asc" : word.lowercased()) else {
            throw PolicyError(
                .invalid, "the policy '\(printable(text))' cannot be used",
                cause: "the order is 'asc' (the last one wins) or 'desc'")
        }
        return direction
    }

    /// Whether the choice depends on when images were made, so that a scan has to read their configurations.
    package var needsCreationTime: Bool { rule == .newest }

    /// Whether it names the one tag that may be chosen.
    package var isOfOneTag: Bool {
        if case .digest = rule { return true }
        return filters.contains { filter in if case .glob(let glob) = filter { glob.isLiteral } else { false } }
    }

    /// Whether it says nothing without the tag that is in use.
    package var needsCurrent: Bool {
        switch rule {
        case .keel: true
        case .force(let matchTag): matchTag
        default: false
        }
    }

    /// The tag `latest` is no choice, in any case, unless it is named.
    var refusesLatest: Bool {
        switch dialect {
        case .flux1: !filters.contains(.glob(GlobPattern("latest")))
        case .slipway:
            if case .digest = rule { false } else { !filters.contains(.glob(GlobPattern("latest"))) }
        case .flux2, .argocd, .keel: false
        }
    }

    /// What the tool whose dialect it is does, and whoever wrote the policy may not expect.
    var note: String? {
        guard dialect == .argocd else { return nil }
        let isExpression = filters.contains { filter in
            if case .ignore(let pattern) = filter { pattern.text.hasPrefix("regexp:") } else { false }
        }
        return isExpression ? "'regexp:' in ignore-tags is a glob here, as upstream, and matches no tag" : nil
    }

    /// What the order looks at of a tag; `nil` when the filters leave it out.
    package func extracted(from tag: String) -> String? {
        var tag = tag
        let screen = TagScreen(self)
        return tag.withUTF8 { bytes in screen.text(of: bytes).map { String(decoding: $0, as: UTF8.self) } }
    }
}

extension PolicySpecification {
    /// Adds what an annotation's text says.
    package mutating func read(_ text: String) throws(PolicyError) {
        func refuse(_ cause: String, _ hint: String?) -> PolicyError {
            PolicyError(.invalid, "the policy '\(printable(text))' cannot be used", cause: cause, hint: hint)
        }
        guard text.utf8.count <= 4_096 else { throw refuse("it is longer than 4096 characters", nil) }
        let colon = text.firstIndex(of: ":")
        let kind = colon.map { String(text[..<$0]) }
        let rest = colon.map { String(text[text.index(after: $0)...]) } ?? ""
        switch (dialect, kind) {
        case (.keel, "glob"): glob = rest
        case (.keel, "regexp"): regexp = rest
        case (.keel, _): order = .keel(text)
        case (.argocd, "semver"): order = .semver(rest)
        case (.argocd, "digest"): order = .digest(rest)
        case (.argocd, _):
            switch text {
            case "semver": order = .semver("")
            case "newest-build", "latest": order = .newestBuild
            case "alphabetical", "name": order = .alphabetical("asc")
            default:
                throw refuse(
                    "there is no such strategy", "there are semver, newest-build, alphabetical and digest:TAG")
            }
        case (.flux2, _):
            throw refuse("Flux v2 has no policies as texts", "say semver, alphabetical or numerical")
        case (.flux1, "semver"), (.slipway, "semver"): order = .semver(rest)
        case (.flux1, "regexp"), (.flux1, "regex"), (.slipway, "regexp"), (.slipway, "regex"): regexp = rest
        case (.flux1, "glob"), (.slipway, "glob"): glob = rest
        case (.flux1, _), (_, nil): glob = text
        case (.slipway, "newest"): glob = rest.isEmpty ? "*" : rest
        case (.slipway, "alphabetical"): order = .alphabetical(rest)
        case (.slipway, "numerical"): order = .numerical(rest)
        case (.slipway, "digest"): order = .digest(rest)
        case (.slipway, let unknown?):
            // No tag has a colon, so that this cannot be meant as a glob.
            throw refuse(
                "there is no kind of policy called '\(printable(unknown))'",
                "there are semver:, glob:, regexp:, newest:, alphabetical:, numerical:, digest:; a glob needs no prefix"
            )
        }
    }
}
