import Text

/// A range of versions in Masterminds' grammar.
///
///     range      := group *("||" group)                     any of the groups
///     group      := comparator *((blank | ",") comparator)  all of the comparators
///     comparator := [operator] part | part " - " part
///     operator   := = != > < >= => <= =< ~ ~> ^
///     part       := version, in which a number may be x, X or * and those behind it missing
///
/// Pre-releases match only in a group in which a comparator names one.
///
/// https://github.com/Masterminds/semver/blob/v3.4.0/constraints.go
package struct VersionRange: Hashable, Sendable, CustomStringConvertible {
    private let groups: [Group]
    package let text: String

    struct Group: Hashable, Sendable {
        var comparators: [VersionComparator]
        var asksForPrereleases: Bool { comparators.contains { $0.version.isPrerelease } }
    }

    /// How many comparators a range may have: foreign text, and each version is checked against all.
    private static let limit = 256

    package var description: String { text }

    package init(_ text: String) throws(PolicyError) {
        self.text = text
        var copy = text
        let result = copy.withUTF8 { bytes -> Result<[Group], SemanticVersion.Problem> in
            Result { () throws(SemanticVersion.Problem) in try Self.parse(bytes) }
        }
        let cause: String
        switch result {
        case .success(let groups):
            self.groups = groups
            return
        case .failure(.notAVersion): cause = "it is no range of versions"
        case .failure(let problem): cause = problem.description
        }
        throw PolicyError(
            .invalid, "'\(printable(text))' cannot be used as a range of versions", cause: cause,
            hint: "write for example '>=1.2 <2', '~1.4', '^1', '1.x || 2.x', '1.2 - 1.9'; '*' is any release")
    }

    /// Whether a version is in the range.
    package func contains(_ version: SemanticVersion) -> Bool {
        groups.contains { group in
            (!version.isPrerelease || group.asksForPrereleases) && group.comparators.allSatisfy { $0.admits(version) }
        }
    }

    var asksForPrereleases: Bool { groups.contains(where: \.asksForPrereleases) }

    /// Whether only that it is a pre-release keeps a version out.
    func wouldContainAsRelease(_ version: SemanticVersion) -> Bool {
        version.isPrerelease && !asksForPrereleases && contains(version.release)
    }

    /// Why a version is not in the range.
    package func refusal(of version: SemanticVersion) -> String {
        if wouldContainAsRelease(version) {
            return "a pre-release, and '\(text)' asks for releases only"
        }
        return "not in '\(text)'"
    }

    private static func parse(_ bytes: UnsafeBufferPointer<UInt8>) throws(SemanticVersion.Problem) -> [Group] {
        var scanner = VersionScanner(bytes: bytes)
        var groups: [Group] = []
        var total = 0
        repeat {
            var group = Group(comparators: [])
            scanner.skipBlanks()
            while true {
                group.comparators += try comparators(&scanner)
                let blank = scanner.skipBlanks()
                if scanner.skip(UInt8(ascii: ",")) {
                    scanner.skipBlanks()
                } else if !blank || scanner.isAtEnd || scanner.next == UInt8(ascii: "|") {
                    break
                }
            }
            total += group.comparators.count
            if total > limit { throw .notAVersion }
            groups.append(group)
        } while scanner.skip(UInt8(ascii: "|")) && scanner.skip(UInt8(ascii: "|"))
        guard scanner.isAtEnd, scanner.position == 0 || bytes[scanner.position - 1] != UInt8(ascii: "|") else {
            throw .notAVersion
        }
        return groups
    }

    /// One comparator, or the two that a hyphen range stands for.
    private static func comparators(
        _ scanner: inout VersionScanner
    ) throws(SemanticVersion.Problem) -> [VersionComparator] {
        let relation = VersionComparator.Relation.read(&scanner)
        scanner.skipBlanks()
        var first = try VersionComparator.read(&scanner, relation ?? .equal)
        let mark = scanner.position
        if scanner.skipBlanks(), scanner.skip(UInt8(ascii: "-")), scanner.skipBlanks() {
            guard relation == nil else { throw .notAVersion }
            first.relation = .atLeast
            return [first, try VersionComparator.read(&scanner, .atMost)]
        }
        scanner.position = mark
        return [first]
    }
}
