import Text

/// How far Keel may go from the version in use.
enum KeelLevel: String, Sendable, Hashable {
    case all, major, minor, patch
}

/// As Keel reads versions: two parts at least, zeros in front allowed.
private func keelVersion(_ text: String) -> SemanticVersion? {
    var text = text
    return text.withUTF8 { SemanticVersion(running: $0, allowsLeadingZeros: true) }
}

/// Keel's `all`, `major`, `minor` and `patch`: versions of at least two parts above the one in use.
///
/// https://github.com/keel-hq/keel/blob/master/internal/policy/semver.go
struct KeelVersionOrder: TagOrder {
    let level: KeelLevel
    let matchPreRelease: Bool
    let current: String
    private let version: SemanticVersion?

    init(level: KeelLevel, matchPreRelease: Bool, current: String) {
        self.level = level
        self.matchPreRelease = matchPreRelease
        self.current = current
        version = keelVersion(current)
    }

    func judge(_ text: UnsafeBufferPointer<UInt8>, _ index: Int) -> Judgement<SemanticVersion> {
        guard text.contains(UInt8(ascii: ".")) else { return .refused(.parts(atLeast: 2)) }
        let result = Result { () throws(SemanticVersion.Problem) in
            try SemanticVersion(loose: text, allowsLeadingZeros: true)
        }
        switch result {
        case .failure(let problem): return .refused(.version(problem))
        case .success(let candidate):
            if let refusal = refusal(candidate, isCurrent: text.elementsEqual(current.utf8)) {
                return .refused(.keel(refusal))
            }
            return .eligible(candidate)
        }
    }

    private func refusal(_ candidate: SemanticVersion, isCurrent: Bool) -> KeelRefusal? {
        // `latest` gives way to any version.
        if current == "latest" || isCurrent { return nil }
        guard let version else { return .noComparison }
        if level != .all, matchPreRelease, candidate.prerelease != version.prerelease { return .otherPrerelease }
        if candidate <= version { return .notNewer }
        switch level {
        case .all, .major: return nil
        case .minor: return candidate.major == version.major ? nil : .otherMajor
        case .patch:
            if candidate.major != version.major { return .otherMajor }
            return candidate.minor == version.minor ? nil : .otherMinor
        }
    }

    func isBetter(_ left: SemanticVersion, than right: SemanticVersion) -> Bool { left > right }

    var tie: TieRule { .longer }

    func standing(
        of tag: UnsafeBufferPointer<UInt8>, text: UnsafeBufferPointer<UInt8>?, at index: Int?
    ) -> Standing<SemanticVersion> { version.map { .known($0) } ?? .incomparable }

    func explanation(count: Int) -> String {
        "the highest of \(counted(count, "version", "versions")) that '\(level.rawValue)' allows"
    }

    func noneMatches(of count: Int) -> String {
        if version == nil, current != "latest" {
            return
                "\(printable(current)) is in use and is not a version: Keel's '\(level.rawValue)' cannot compare with it"
        }
        return
            "none of \(counted(count, "tag", "tags")) is a version that '\(level.rawValue)' allows after \(printable(current))"
    }
}

/// Keel's `glob:` and `regexp:`: the last in byte order, of the tags or of their group `compare`.
///
/// https://github.com/keel-hq/keel/blob/master/internal/policy/regexp.go
struct KeelPatternOrder: TagOrder {
    private let matcher: RegexMatcher?
    private let group: Int
    private let isRegexp: Bool

    init(isRegexp: Bool, compares expression: RegularExpression?, tags: Int) {
        matcher = expression.map { RegexMatcher($0, texts: tags) }
        group = expression?.groupNames.firstIndex(of: "compare") ?? 0
        self.isRegexp = isRegexp
    }

    func judge(_ text: UnsafeBufferPointer<UInt8>, _ index: Int) -> Judgement<UnsafeBufferPointer<UInt8>> {
        .eligible(compared(text))
    }

    private func compared(_ text: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
        guard let matcher else { return text }
        guard matcher.capture(text), let range = matcher.group(group) else {
            return UnsafeBufferPointer(start: text.baseAddress, count: 0)
        }
        return UnsafeBufferPointer(rebasing: text[range])
    }

    func isBetter(_ left: UnsafeBufferPointer<UInt8>, than right: UnsafeBufferPointer<UInt8>) -> Bool {
        precedes(right, left)
    }

    var tie: TieRule { .greater }

    func standing(
        of tag: UnsafeBufferPointer<UInt8>, text: UnsafeBufferPointer<UInt8>?, at index: Int?
    ) -> Standing<UnsafeBufferPointer<UInt8>> {
        if let text { return .known(compared(text)) }
        // Keel compares the whole tags for globs, also with one that the glob does not match.
        return isRegexp ? .incomparable : .known(tag)
    }

    func explanation(count: Int) -> String {
        "the last of \(counted(count, "matching tag", "matching tags")) in alphabetical order"
            + (matcher != nil ? " of the group 'compare'" : "")
    }

    func noneMatches(of count: Int) -> String { "none of \(counted(count, "tag", "tags")) matches" }
}

/// Keel's `force`: the highest version, never below the one in use; without versions another tag.
///
/// Which one of several tags without versions Keel takes depends on the registry's list; here it is the first in byte
/// order.
///
/// https://github.com/keel-hq/keel/blob/master/internal/policy/force.go
struct ForceOrder: TagOrder {
    let matchTag: Bool
    let current: String
    private let version: SemanticVersion?

    init(matchTag: Bool, current: String) {
        self.matchTag = matchTag
        self.current = current
        version = keelVersion(current)
    }

    func judge(_ text: UnsafeBufferPointer<UInt8>, _ index: Int) -> Judgement<SemanticVersion?> {
        let isCurrent = text.elementsEqual(current.utf8)
        if matchTag, !isCurrent { return .refused(.keel(.otherTag)) }
        let candidate = SemanticVersion(running: text, allowsLeadingZeros: true)
        if !isCurrent, let candidate, let version, candidate <= version { return .refused(.keel(.notNewer)) }
        return .eligible(candidate)
    }

    func isBetter(_ left: SemanticVersion?, than right: SemanticVersion?) -> Bool {
        switch (left, right) {
        case (let left?, let right?): left > right
        case (_?, nil): true
        case (nil, _): false
        }
    }

    func standing(
        of tag: UnsafeBufferPointer<UInt8>, text: UnsafeBufferPointer<UInt8>?, at index: Int?
    ) -> Standing<SemanticVersion?> { .incomparable }

    func explanation(count: Int) -> String {
        matchTag ? "the tag that is in use" : "the first of \(counted(count, "tag", "tags")) that 'force' allows"
    }

    func noneMatches(of count: Int) -> String {
        "none of \(counted(count, "tag", "tags")) may take the place of \(printable(current))"
    }
}
