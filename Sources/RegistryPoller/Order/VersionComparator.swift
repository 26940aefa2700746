/// One condition of a range: an operator and a version of which only some numbers may be given.
struct VersionComparator: Hashable, Sendable {
    enum Relation: Hashable, Sendable {
        case equal, notEqual, above, below, atLeast, atMost, tilde, caret

        /// Reads an operator; `nil` when there is none.
        static func read(_ scanner: inout VersionScanner) -> Relation? {
            guard let byte = scanner.next else { return nil }
            switch byte {
            case UInt8(ascii: "="):
                scanner.position += 1
                if scanner.skip(UInt8(ascii: ">")) { return .atLeast }
                return scanner.skip(UInt8(ascii: "<")) ? .atMost : .equal
            case UInt8(ascii: ">"):
                scanner.position += 1
                return scanner.skip(UInt8(ascii: "=")) ? .atLeast : .above
            case UInt8(ascii: "<"):
                scanner.position += 1
                return scanner.skip(UInt8(ascii: "=")) ? .atMost : .below
            case UInt8(ascii: "!"):
                scanner.position += 1
                // A lone "!" is no operator; what follows cannot be a version either.
                if !scanner.skip(UInt8(ascii: "=")) { scanner.position -= 1 }
                return .notEqual
            case UInt8(ascii: "~"):
                scanner.position += 1
                scanner.skip(UInt8(ascii: ">"))
                return .tilde
            case UInt8(ascii: "^"):
                scanner.position += 1
                return .caret
            default:
                return nil
            }
        }
    }

    var relation: Relation
    /// What is not given is zero.
    let version: SemanticVersion
    /// The minor number is a wildcard or missing, while the major one is given.
    let anyMinor: Bool
    /// Only the patch number is a wildcard or missing.
    let anyPatch: Bool
    /// Something is a wildcard or missing; with neither of the other two it is all of it (`*`).
    let isPartial: Bool

    static func read(
        _ scanner: inout VersionScanner, _ relation: Relation
    ) throws(SemanticVersion.Problem) -> VersionComparator {
        scanner.skip(UInt8(ascii: "v"))
        var numbers: [UInt64?] = []
        repeat {
            if let byte = scanner.next, byte == UInt8(ascii: "*") || byte | 0x20 == UInt8(ascii: "x") {
                scanner.position += 1
                numbers.append(nil)
            } else {
                numbers.append(try scanner.number())
            }
        } while numbers.count < 3 && scanner.skip(UInt8(ascii: "."))
        let prerelease = try scanner.suffix(UInt8(ascii: "-"), refusesLeadingZeros: true)
        _ = try scanner.suffix(UInt8(ascii: "+"), refusesLeadingZeros: false)
        // Behind a wildcard nothing counts: `1.x.3` is `1.x`.
        let given = Array(numbers.prefix { $0 != nil }.compactMap(\.self))
        let value = { (index: Int) in index < given.count ? given[index] : 0 }
        return VersionComparator(
            relation: relation, version: SemanticVersion(value(0), value(1), value(2), prerelease: prerelease),
            anyMinor: given.count == 1, anyPatch: given.count == 2, isPartial: given.count < 3)
    }

    /// Whether a version meets the condition; that pre-releases are asked for is the group's affair.
    func admits(_ candidate: SemanticVersion) -> Bool {
        switch relation {
        case .equal: isPartial ? tilde(candidate) : candidate == version
        case .notEqual: notEqual(candidate)
        case .above: above(candidate)
        case .below: candidate < version
        case .atLeast: candidate >= version
        case .atMost: atMost(candidate)
        case .tilde: tilde(candidate)
        case .caret: caret(candidate)
        }
    }

    private func notEqual(_ candidate: SemanticVersion) -> Bool {
        guard isPartial else { return candidate != version }
        if candidate.major != version.major { return true }
        if anyMinor { return false }
        if candidate.minor != version.minor { return true }
        if anyPatch { return candidate.prerelease != version.prerelease }
        return candidate != version
    }

    /// `>11` means 12 and up, `>11.1` means 11.2 and up.
    private func above(_ candidate: SemanticVersion) -> Bool {
        guard isPartial else { return candidate > version }
        if candidate.major != version.major { return candidate.major > version.major }
        if anyMinor { return false }
        if anyPatch { return candidate.minor > version.minor }
        return candidate > version
    }

    /// `<=11` includes 11.9, `<=11.1` includes 11.1.9.
    private func atMost(_ candidate: SemanticVersion) -> Bool {
        guard isPartial else { return candidate <= version }
        if candidate.major > version.major { return false }
        return candidate.major < version.major || candidate.minor <= version.minor || anyMinor
    }

    /// `~1.2.3` is `>=1.2.3 <1.3`, `~1.2` is `>=1.2 <1.3`, `~1` is `>=1 <2`; `~0.0.0` and `*` admit everything.
    private func tilde(_ candidate: SemanticVersion) -> Bool {
        if candidate < version { return false }
        if version.major == 0, version.minor == 0, version.patch == 0, !anyMinor, !anyPatch { return true }
        return candidate.major == version.major && (candidate.minor == version.minor || anyMinor)
    }

    /// Up to the next change of the leftmost number that is not zero.
    private func caret(_ candidate: SemanticVersion) -> Bool {
        if candidate < version { return false }
        if version.major > 0 || anyMinor { return candidate.major == version.major }
        // `^*`: Masterminds documents "any version" (and its code admits only 0.0.0).
        if isPartial, !anyPatch { return true }
        if candidate.major > 0 { return false }
        if version.minor > 0 || anyPatch { return candidate.minor == version.minor }
        return candidate.minor == 0 && candidate.patch == version.patch
    }
}
