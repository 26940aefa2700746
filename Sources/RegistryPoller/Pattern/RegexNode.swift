/// A regular expression, taken apart.
indirect enum RegexNode: Hashable, Sendable {
    case empty
    /// One character; a class when case does not count.
    case literal(UInt32)
    case characters(CharacterClass)
    case assertion(RegexAssertion)
    case capture(Int, RegexNode)
    case concatenation([RegexNode])
    case alternation([RegexNode])
    /// `maximum` `nil`: any number. `isCounted`: written with braces.
    case repetition(RegexNode, minimum: Int, maximum: Int?, isGreedy: Bool, isCounted: Bool)

    /// Whether it matches the empty text.
    var isNullable: Bool {
        switch self {
        case .empty, .assertion: true
        case .literal, .characters: false
        case .capture(_, let node): node.isNullable
        case .concatenation(let nodes): nodes.allSatisfy(\.isNullable)
        case .alternation(let nodes): nodes.contains(where: \.isNullable)
        case .repetition(let node, let minimum, _, _, _): minimum == 0 || node.isNullable
        }
    }

    /// Go allows 1,000 copies of anything, counted through all braces around it.
    func allows(copies limit: Int) -> Bool {
        switch self {
        case .empty, .literal, .characters, .assertion: return true
        case .capture(_, let node): return node.allows(copies: limit)
        case .concatenation(let nodes), .alternation(let nodes): return nodes.allSatisfy { $0.allows(copies: limit) }
        case .repetition(let node, let minimum, let maximum, _, let isCounted):
            guard isCounted else { return node.allows(copies: limit) }
            if maximum == 0 { return true }
            let copies = maximum ?? minimum
            return copies <= limit && node.allows(copies: copies > 0 ? limit / copies : limit)
        }
    }
}

/// What matches between characters.
enum RegexAssertion: Hashable, Sendable {
    case beginText, endText, beginLine, endLine, wordBoundary, noWordBoundary
}
