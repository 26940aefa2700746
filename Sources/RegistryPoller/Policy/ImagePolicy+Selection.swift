extension ImagePolicy {
    /// Chooses among tags. The same tags give the same choice, in whatever order they come.
    ///
    /// - Parameters:
    ///   - current: the tag that is in use. A choice that would go back from it is refused, unless `allowDowngrade`.
    ///   - explaining: whether `verdicts` is filled; a million tags need them only when somebody reads them.
    package func select(
        from tags: TagList, current: String?, allowDowngrade: Bool = false, explaining: Bool = true
    ) -> Selection {
        select(
            from: tags, current: current, allowDowngrade: allowDowngrade, explaining: explaining,
            smallestPart: TagSelector.smallestPart)
    }

    /// - Parameter smallestPart: how many tags are worth a thread.
    func select(
        from tags: TagList, current: String?, allowDowngrade: Bool = false, explaining: Bool, smallestPart: Int
    ) -> Selection {
        if tags.isEmpty { return Selection(tag: nil, reason: "the repository has no tags") }
        if needsCurrent, current == nil {
            return Selection(
                tag: nil, reason: "Keel's '\(text)' compares with the tag in use, and it is not known which one that is"
            )
        }
        let selector = TagSelector(
            policy: self, tags: tags, current: current, allowDowngrade: allowDowngrade, explaining: explaining,
            smallestPart: smallestPart)
        // Each order is called by its own type, so that the compiler makes a loop for each.
        return switch rule {
        case .semver(let range): selector.decide(by: VersionOrder(range: range, dialect: dialect))
        case .newest: selector.decide(by: NewestOrder(policy: self, tags: tags))
        case .alphabetical(let direction):
            selector.decide(by: AlphabeticalOrder(direction: direction, dialect: dialect))
        case .numerical(let direction):
            dialect == .flux2
                ? selector.decide(by: FloatOrder(direction: direction))
                : selector.decide(by: DecimalOrder(direction: direction))
        case .digest(let tag): selector.decide(by: DigestOrder(tag: tag))
        case .keel(let level, let matchPreRelease):
            selector.decide(
                by: KeelVersionOrder(level: level, matchPreRelease: matchPreRelease, current: current ?? ""))
        case .keelPattern(let isRegexp, let expression):
            selector.decide(by: KeelPatternOrder(isRegexp: isRegexp, compares: expression, tags: tags.count))
        case .force(let matchTag):
            selector.decide(by: ForceOrder(matchTag: matchTag, current: current ?? ""))
        }
    }

    package func select(
        from candidates: [TagCandidate], current: String?, allowDowngrade: Bool = false, explaining: Bool = true
    ) -> Selection {
        select(
            from: TagList(candidates), current: current, allowDowngrade: allowDowngrade, explaining: explaining)
    }
}
