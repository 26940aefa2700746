/// Versions in a range, the highest first.
struct VersionOrder: TagOrder {
    let range: VersionRange
    let dialect: PolicyDialect

    func judge(_ text: UnsafeBufferPointer<UInt8>, _ index: Int) -> Judgement<SemanticVersion> {
        if dialect == .flux2, !Self.hasThreeParts(text) { return .refused(.parts(atLeast: 3)) }
        switch Result(catching: { () throws(SemanticVersion.Problem) in try SemanticVersion(loose: text) }) {
        case .failure(let problem): return .refused(.version(problem))
        case .success(let version):
            // `9170057` is a short commit id; whoever means a version writes `9.0`.
            if dialect == .slipway, version.parts < 2 { return .refused(.parts(atLeast: 2)) }
            if range.contains(version) { return .eligible(version) }
            return .refused(range.wouldContainAsRelease(version) ? .prerelease : .outOfRange)
        }
    }

    /// As Flux v2 counts: two dots anywhere (`1.2-rc.1` has three parts), and what follows is read loosely.
    private static func hasThreeParts(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        var dots = 0
        for byte in text where byte == UInt8(ascii: ".") { dots += 1 }
        return dots >= 2
    }

    func isBetter(_ left: SemanticVersion, than right: SemanticVersion) -> Bool { left > right }

    /// In Flux v1 the greater text (`1.10.0` before `1.10`), in Flux v2 the first one of the registry's list, in Argo CD the
    /// last one.
    var tie: TieRule {
        switch dialect {
        case .slipway, .keel: .longer
        case .flux1, .argocd: .greater
        case .flux2: .smaller
        }
    }

    var keepsCurrentOnTie: Bool { dialect == .flux2 || dialect == .argocd }

    func standing(
        of tag: UnsafeBufferPointer<UInt8>, text: UnsafeBufferPointer<UInt8>?, at index: Int?
    ) -> Standing<SemanticVersion> {
        SemanticVersion(running: text ?? tag).map { .known($0) } ?? .incomparable
    }

    func explanation(count: Int) -> String {
        count == 1 ? "the only version in '\(range)'" : "the highest of \(count) versions in '\(range)'"
    }

    func noneMatches(of count: Int) -> String { "none of \(counted(count, "tag", "tags")) is a version in '\(range)'" }

    func advice(on prereleases: [SemanticVersion]) -> String? {
        guard !prereleases.isEmpty else { return nil }
        let wider = (try? VersionRange("\(range)-0")).flatMap { wider in
            prereleases.contains(where: wider.contains) ? "'\(wider)'" : nil
        }
        return "\(counted(prereleases.count, "is a pre-release", "are pre-releases")) of it: write "
            + (wider ?? "a range that names one, such as '>=1.0.0-0',") + " to use pre-releases"
    }

    func prerelease(_ text: UnsafeBufferPointer<UInt8>) -> SemanticVersion? { try? SemanticVersion(loose: text) }
}

extension VersionRange {
    /// Why a version is not in the range as a dialect reads versions; `nil` when it is.
    package func refusal(of version: String, dialect: PolicyDialect) -> String? {
        var version = version
        return version.withUTF8 { bytes in
            if dialect == .keel, !bytes.contains(UInt8(ascii: ".")) { return "not a version of at least two parts" }
            switch VersionOrder(range: self, dialect: dialect).judge(bytes, 0) {
            case .eligible: return nil
            case .refused(.version(let problem)), .fatal(.version(let problem)): return problem.description
            case .refused(.parts(let count)): return "not a version of \(count == 3 ? "three" : "at least two") parts"
            case .refused(.prerelease): return "a pre-release, and '\(text)' asks for releases only"
            case .refused, .fatal: return "not in '\(text)'"
            }
        }
    }
}
