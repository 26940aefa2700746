import Text

/// Images by when they were made, the newest first; or by a place in an order that is known to be right.
struct NewestOrder: TagOrder {
    private let dialect: PolicyDialect
    private let tags: TagList
    /// What has to match, in words; empty when anything may.
    private let pattern: String
    /// All candidates have a place in a known order, so that times are not looked at.
    private let isRanked: Bool

    init(policy: ImagePolicy, tags: TagList) {
        dialect = policy.dialect
        self.tags = tags
        pattern = policy.filters.compactMap { filter in
            switch filter {
            case .glob(let glob): glob.matchesEverything ? nil : "'\(glob)'"
            case .regexp(let expression): "'\(printable(expression.pattern))'"
            case .exclude, .ignore, .artifacts: nil
            }
        }.joined(separator: " and ")
        guard !tags.ranks.isEmpty else {
            isRanked = false
            return
        }
        let screen = TagScreen(policy, tags: tags.count)
        isRanked = tags.bytes.withUnsafeBufferPointer { bytes in
            (0..<tags.count).allSatisfy { index in
                tags.ranks[index] != nil || tags.problems[index] != nil
                    || screen.text(of: UnsafeBufferPointer(rebasing: bytes[tags.range(index)])) == nil
            }
        }
    }

    func judge(_ text: UnsafeBufferPointer<UInt8>, _ index: Int) -> Judgement<Int64> {
        place(index).map { .eligible($0) } ?? .refused(.noTime)
    }

    /// Zero times are those of reproducible images: 1970, or Go's year 1. They say nothing.
    private func place(_ index: Int) -> Int64? {
        if isRanked { return tags.ranks[index].map(Int64.init) }
        return tags.created(at: index).flatMap { $0 > 0 ? $0 : nil }
    }

    func isBetter(_ left: Int64, than right: Int64) -> Bool { left > right }

    var tie: TieRule { dialect == .argocd ? .greater : .smaller }

    /// Images of one time are no reason to move from one to the other; Flux v1 moves.
    var keepsCurrentOnTie: Bool { dialect != .flux1 }

    func standing(
        of tag: UnsafeBufferPointer<UInt8>, text: UnsafeBufferPointer<UInt8>?, at index: Int?
    ) -> Standing<Int64> {
        let name = printable(String(decoding: tag, as: UTF8.self))
        guard let index else {
            return dialect == .flux1 && !isRanked
                ? .unknown("\(name) is in use and not in the repository, so that its creation time is not known")
                : .incomparable
        }
        if let place = place(index) { return .known(place) }
        // An unranked tag among ranked ones is outside of the pattern.
        if isRanked { return .incomparable }
        return .unknown("\(name) is in use and has no creation time to compare with")
    }

    func explanation(count: Int) -> String {
        count == 1
            ? "the only image\(pattern.isEmpty ? "" : " that matches \(pattern)")"
            : "the newest of \(count) images\(pattern.isEmpty ? "" : " that match \(pattern)")"
    }

    func noneMatches(of count: Int) -> String {
        "none of \(counted(count, "tag", "tags")) "
            + (pattern.isEmpty
                ? "has an image with a creation time" : "matches \(pattern) and has an image with a creation time")
    }
}
