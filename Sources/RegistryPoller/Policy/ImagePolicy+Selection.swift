extension ImagePolicy {
    /// Chooses among tags. The same tags give the same choice, in whatever order they come.
    ///
    /// - Parameters:
    ///   - current: the tag that is in use. A choice that would go back from it is refused, unless `allowDowngrade`.
    ///   - explaining: whether `verdicts` is filled; a million tags need them only when somebody reads them.
    package func select(
        from candidates: [TagCandidate], current: String?, allowDowngrade: Bool = false, explaining: Bool = true
    ) -> Selection {
        if candidates.isEmpty { return Selection(tag: nil, reason: "the repository has no tags") }
        let question = Question(
            candidates: candidates, current: current, allowDowngrade: allowDowngrade, explaining: explaining)
        // Each kind is called by its own type, so that the compiler makes a loop for each.
        return switch rule {
        case .semver(let range): VersionContest(policy: self, range: range).answer(question)
        case .newest(let pattern):
            NewestContest(policy: self, pattern: pattern, candidates: candidates).answer(question)
        case .alphabetical(let direction): AlphabeticalContest(policy: self, direction: direction).answer(question)
        case .numerical(let direction): NumericalContest(policy: self, direction: direction).answer(question)
        }
    }

    /// Why a tag is out before any order is asked for; `nil` when it is not.
    fileprivate func refusal(of candidate: TagCandidate) -> String? {
        if candidate.tag.utf8.count == 6, candidate.tag.lowercased() == "latest", !wantsLatest {
            return "'latest' is chosen only by 'glob:latest'"
        }
        return candidate.problem
    }

    private var wantsLatest: Bool {
        if case .newest(let pattern) = rule { pattern.text == "latest" } else { false }
    }
}

/// What a policy is asked.
private struct Question {
    let candidates: [TagCandidate]
    let current: String?
    let allowDowngrade: Bool
    let explaining: Bool
}

/// How one kind of policy looks at tags: each gets a key or a reason why not, and keys have an order.
private protocol Contest {
    associatedtype Key

    var policy: ImagePolicy { get }
    func judge(_ candidate: TagCandidate) -> Judgement<Key>
    /// Whether `left` is strictly better by what the policy is about; names are not looked at.
    func isBetter(_ left: Key, than right: Key) -> Bool
    /// Which of two tags wins when none is better.
    func winsTie(_ left: String, over right: String) -> Bool
    /// The key of the tag in use, to compare with; `nil` when it says nothing.
    func standing(of current: String, among candidates: [TagCandidate]) -> Standing<Key>
    /// "the newest of 4 images that match 'v*'", for the tag that was chosen among `count`.
    func praise(count: Int) -> String
    func noneMatches(of count: Int) -> String
    /// Whether the tag in use stays when the chosen one is no better.
    var keepsCurrentOnTie: Bool { get }
}

private enum Judgement<Key> {
    case eligible(Key)
    case refused(String)
}

private enum Standing<Key> {
    case known(Key)
    /// Nothing to compare with: any choice is an upgrade.
    case incomparable
    /// It has to be compared, and cannot be.
    case unknown(String)
}

extension Contest {
    var keepsCurrentOnTie: Bool { false }
    func winsTie(_ left: String, over right: String) -> Bool { left < right }

    func answer(_ question: Question) -> Selection {
        let candidates = question.candidates
        let explaining = question.explaining
        var best: (key: Key, tag: String)?
        var count = 0
        var refusals: [String?] = []
        if explaining { refusals.reserveCapacity(candidates.count) }
        for candidate in candidates {
            let judgement = policy.refusal(of: candidate).map { .refused($0) } ?? judge(candidate)
            switch judgement {
            case .refused(let reason):
                if explaining { refusals.append(reason) }
            case .eligible(let key):
                count += 1
                if explaining { refusals.append(nil) }
                if let leader = best, !wins(key, candidate.tag, over: leader) { continue }
                best = (key, candidate.tag)
            }
        }
        var selection: Selection
        if var best {
            selection = Selection(tag: best.tag, reason: praise(count: count))
            if let current = question.current, current != best.tag {
                switch standing(of: current, among: candidates) {
                case .incomparable: break
                case .unknown(let reason):
                    if !question.allowDowngrade { selection = Selection(tag: nil, reason: reason) }
                case .known(let key) where isBetter(key, than: best.key) && !question.allowDowngrade:
                    selection = Selection(
                        tag: nil,
                        reason:
                            "\(best.tag) is \(selection.reason), but it would be a downgrade from \(printable(current))"
                    )
                case .known(let key) where keepsCurrentOnTie && !isBetter(best.key, than: key):
                    if let kept = candidates.firstIndex(where: { $0.tag == current }),
                        case .eligible = judge(candidates[kept]), policy.refusal(of: candidates[kept]) == nil
                    {
                        best = (key, current)
                        selection = Selection(tag: current, reason: selection.reason + "; none is newer than it")
                    }
                case .known: break
                }
            }
            if explaining { selection.verdicts = verdicts(candidates, refusals, best.tag, selection) }
        } else {
            selection = Selection(tag: nil, reason: noneMatches(of: candidates.count))
            if explaining { selection.verdicts = verdicts(candidates, refusals, nil, selection) }
        }
        return selection
    }

    private func wins(_ key: Key, _ tag: String, over leader: (key: Key, tag: String)) -> Bool {
        if isBetter(key, than: leader.key) { return true }
        return !isBetter(leader.key, than: key) && winsTie(tag, over: leader.tag)
    }

    private func verdicts(
        _ candidates: [TagCandidate], _ refusals: [String?], _ best: String?, _ selection: Selection
    ) -> [Selection.Verdict] {
        zip(candidates, refusals).map { candidate, refusal in
            if let refusal { return Selection.Verdict(tag: candidate.tag, outcome: .refused, reason: refusal) }
            if candidate.tag == selection.tag {
                return Selection.Verdict(tag: candidate.tag, outcome: .selected, reason: selection.reason)
            }
            if candidate.tag == best {
                return Selection.Verdict(tag: candidate.tag, outcome: .refused, reason: selection.reason)
            }
            return Selection.Verdict(
                tag: candidate.tag, outcome: .eligible, reason: "\(best ?? "another one") comes before it")
        }
    }
}

/// `number` things, in words that agree.
private func counted(_ count: Int, _ one: String, _ many: String) -> String {
    count == 1 ? "1 \(one)" : "\(count) \(many)"
}

private struct VersionContest: Contest {
    let policy: ImagePolicy
    let range: VersionRange

    func judge(_ candidate: TagCandidate) -> Judgement<SemanticVersion> {
        do {
            let version = try SemanticVersion(loose: candidate.tag)
            return range.contains(version) ? .eligible(version) : .refused(range.refusal(of: version))
        } catch {
            return .refused("\(error)")
        }
    }

    func isBetter(_ left: SemanticVersion, than right: SemanticVersion) -> Bool { left > right }

    /// `1.10.0` before `1.10`, as Flux v1 has it.
    func winsTie(_ left: String, over right: String) -> Bool {
        left.utf8.count != right.utf8.count ? left.utf8.count > right.utf8.count : left < right
    }

    func standing(of current: String, among candidates: [TagCandidate]) -> Standing<SemanticVersion> {
        (try? SemanticVersion(loose: current)).map { .known($0) } ?? .incomparable
    }

    func praise(count: Int) -> String {
        count == 1 ? "the only version in '\(range)'" : "the highest of \(count) versions in '\(range)'"
    }

    func noneMatches(of count: Int) -> String { "none of \(counted(count, "tag", "tags")) is a version in '\(range)'" }
}

private struct NewestContest: Contest {
    let policy: ImagePolicy
    let pattern: GlobPattern
    /// All candidates have a place in a known order, so that times are not looked at.
    let isRanked: Bool

    init(policy: ImagePolicy, pattern: GlobPattern, candidates: [TagCandidate]) {
        self.policy = policy
        self.pattern = pattern
        isRanked = candidates.allSatisfy {
            $0.rank != nil || policy.refusal(of: $0) != nil || !pattern.matches($0.tag)
        }
    }

    func judge(_ candidate: TagCandidate) -> Judgement<Int64> {
        guard pattern.matches(candidate.tag) else { return .refused("does not match '\(pattern)'") }
        return place(of: candidate).map { .eligible($0) } ?? .refused("the image has no creation time")
    }

    /// Zero times are those of reproducible images: 1970, or Go's year 1. They say nothing.
    private func place(of candidate: TagCandidate) -> Int64? {
        if isRanked { return candidate.rank.map(Int64.init) }
        return candidate.created.flatMap { $0 > 0 ? $0 : nil }
    }

    func isBetter(_ left: Int64, than right: Int64) -> Bool { left > right }

    /// Images of one time are no reason to move from one to the other.
    var keepsCurrentOnTie: Bool { true }

    func standing(of current: String, among candidates: [TagCandidate]) -> Standing<Int64> {
        guard let candidate = candidates.first(where: { $0.tag == current }) else { return .incomparable }
        if let place = place(of: candidate) { return .known(place) }
        // An unranked tag among ranked ones is outside of the pattern.
        if isRanked { return .incomparable }
        return .unknown("\(printable(current)) is in use and has no creation time to compare with")
    }

    private var matching: String { pattern.matchesEverything ? "" : " that match '\(pattern)'" }

    func praise(count: Int) -> String {
        count == 1
            ? "the only image\(pattern.matchesEverything ? "" : " that matches '\(pattern)'")"
            : "the newest of \(count) images\(matching)"
    }

    func noneMatches(of count: Int) -> String {
        "none of \(counted(count, "tag", "tags")) "
            + (pattern.matchesEverything
                ? "has an image with a creation time" : "matches '\(pattern)' and has an image with a creation time")
    }
}

private struct AlphabeticalContest: Contest {
    let policy: ImagePolicy
    let direction: ImagePolicy.Direction

    func judge(_ candidate: TagCandidate) -> Judgement<String> { .eligible(candidate.tag) }

    func isBetter(_ left: String, than right: String) -> Bool {
        switch direction {
        case .ascending: right.utf8.lexicographicallyPrecedes(left.utf8)
        case .descending: left.utf8.lexicographicallyPrecedes(right.utf8)
        }
    }

    func standing(of current: String, among candidates: [TagCandidate]) -> Standing<String> {
        candidates.contains { $0.tag == current } ? .known(current) : .incomparable
    }

    func praise(count: Int) -> String {
        "the \(direction == .ascending ? "last" : "first") of \(counted(count, "tag", "tags")) in alphabetical order"
    }

    func noneMatches(of count: Int) -> String { "none of \(counted(count, "tag", "tags")) may be used" }
}

private struct NumericalContest: Contest {
    let policy: ImagePolicy
    let direction: ImagePolicy.Direction

    func judge(_ candidate: TagCandidate) -> Judgement<DecimalNumber> {
        DecimalNumber(candidate.tag).map { .eligible($0) } ?? .refused("not a decimal number")
    }

    func isBetter(_ left: DecimalNumber, than right: DecimalNumber) -> Bool {
        direction == .ascending ? left > right : left < right
    }

    func standing(of current: String, among candidates: [TagCandidate]) -> Standing<DecimalNumber> {
        DecimalNumber(current).map { .known($0) } ?? .incomparable
    }

    func praise(count: Int) -> String {
        "the \(direction == .ascending ? "highest" : "lowest") of \(counted(count, "number", "numbers"))"
    }

    func noneMatches(of count: Int) -> String { "none of \(counted(count, "tag", "tags")) is a decimal number" }
}
