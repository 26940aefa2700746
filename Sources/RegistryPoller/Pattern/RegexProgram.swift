/// A regular expression as a list of steps, after Thompson and Pike.
///
/// A choice whose two ways begin with different characters is decided by the next character, so that most patterns run
/// without ever trying anything twice.
struct RegexProgram: Sendable {
    enum Operation: UInt8, Sendable {
        /// One byte (`argument`).
        case byte
        /// One character of a class (`argument`).
        case characters
        /// First `next`, then `other`.
        case choice
        /// `next` when what follows is in a first set (`argument`), else `other`.
        case decision
        /// `argument` is the index of the assertion.
        case assertion
        /// Remember the place in a slot (`argument`).
        case save
        case match
    }

    struct Step: Sendable {
        var operation: Operation
        var next: Int32 = 0
        var other: Int32 = 0
        var argument: Int32 = 0
        /// Numbers choices, and after them decisions.
        var mark: Int32 = 0
    }

    /// What a text may go on with.
    struct FirstSet: Hashable, Sendable {
        var low: UInt64 = 0
        var high: UInt64 = 0
        var others = false
        var end = false

        static let anything = FirstSet(low: .max, high: .max, others: true, end: true)

        mutating func formUnion(_ set: FirstSet) {
            low |= set.low
            high |= set.high
            others = others || set.others
            end = end || set.end
        }

        func isDisjoint(with set: FirstSet) -> Bool {
            low & set.low == 0 && high & set.high == 0 && !(others && set.others) && !(end && set.end)
        }

        @inline(__always)
        func contains(_ byte: UInt8) -> Bool {
            byte < 64
                ? low >> UInt64(truncatingIfNeeded: byte) & 1 != 0
                : byte < 128 ? high >> UInt64(truncatingIfNeeded: byte &- 64) & 1 != 0 : others
        }
    }

    static let assertions: [RegexAssertion] = [
        .beginText, .endText, .beginLine, .endLine, .wordBoundary, .noWordBoundary,
    ]

    /// More steps than this are not made: the cost of a match grows with them.
    static let limit = 20_000

    private(set) var steps: [Step] = []
    private(set) var classes: [CharacterClass] = []
    private(set) var firstSets: [FirstSet] = []
    private(set) var start: Int32 = 0
    /// What a match may begin with.
    private(set) var first = FirstSet.anything
    /// How many choices are left that the next character does not decide.
    private(set) var choices = 0
    private(set) var decisions = 0
    /// A match is at the beginning of the text or nowhere.
    private(set) var isAnchored = false

    struct TooLarge: Error {}

    init(_ node: RegexNode) throws(TooLarge) {
        start = try emit(node, try append(Step(operation: .match)))
        isAnchored = beginsAtText(start)
        decide()
    }

    private mutating func append(_ step: Step) throws(TooLarge) -> Int32 {
        if steps.count >= Self.limit { throw TooLarge() }
        steps.append(step)
        return Int32(steps.count - 1)
    }

    /// Appends the steps of a node, the last one of which goes to `next`, and says where they begin.
    private mutating func emit(_ node: RegexNode, _ next: Int32) throws(TooLarge) -> Int32 {
        switch node {
        case .empty:
            return next
        case .literal(let value):
            var next = next
            for byte in Self.utf8(value).reversed() {
                next = try append(Step(operation: .byte, next: next, argument: Int32(byte)))
            }
            return next
        case .characters(let set):
            let index = classes.firstIndex(of: set) ?? classes.count
            if index == classes.count { classes.append(set) }
            return try append(Step(operation: .characters, next: next, argument: Int32(index)))
        case .assertion(let assertion):
            let index = Self.assertions.firstIndex(of: assertion) ?? 0
            return try append(Step(operation: .assertion, next: next, argument: Int32(index)))
        case .capture(let index, let inner):
            let end = try append(Step(operation: .save, next: next, argument: Int32(2 * index + 1)))
            let body = try emit(inner, end)
            return try append(Step(operation: .save, next: body, argument: Int32(2 * index)))
        case .concatenation(let nodes):
            var next = next
            for node in nodes.reversed() { next = try emit(node, next) }
            return next
        case .alternation(let nodes):
            var entry: Int32?
            for node in nodes.reversed() {
                let branch = try emit(node, next)
                entry = if let entry { try choice(branch, entry, isGreedy: true) } else { branch }
            }
            return entry ?? next
        case .repetition(let inner, let minimum, let maximum, let isGreedy, _):
            return try emit(inner, minimum, maximum, isGreedy, next)
        }
    }

    private mutating func emit(
        _ inner: RegexNode, _ minimum: Int, _ maximum: Int?, _ isGreedy: Bool, _ next: Int32
    ) throws(TooLarge) -> Int32 {
        var entry = next
        var copies = minimum
        if let maximum {
            // x{1,3} is x(x(x)?)?
            for _ in minimum..<max(minimum, maximum) {
                entry = try choice(try emit(inner, entry), next, isGreedy: isGreedy)
            }
        } else if minimum == 0, !inner.isNullable {
            let loop = try choice(0, next, isGreedy: isGreedy)
            patch(loop, try emit(inner, loop), isGreedy)
            entry = loop
        } else {
            // x*, where x may be empty, is (x+)?: the order of what is tried is right only so.
            let loop = try choice(0, next, isGreedy: isGreedy)
            entry = try emit(inner, loop)
            patch(loop, entry, isGreedy)
            if minimum == 0 { entry = try choice(entry, next, isGreedy: isGreedy) }
            copies = max(0, minimum - 1)
        }
        for _ in 0..<copies { entry = try emit(inner, entry) }
        return entry
    }

    private mutating func choice(_ body: Int32, _ next: Int32, isGreedy: Bool) throws(TooLarge) -> Int32 {
        try append(
            Step(operation: .choice, next: isGreedy ? body : next, other: isGreedy ? next : body))
    }

    private mutating func patch(_ loop: Int32, _ body: Int32, _ isGreedy: Bool) {
        if isGreedy { steps[Int(loop)].next = body } else { steps[Int(loop)].other = body }
    }

    private static func utf8(_ value: UInt32) -> [UInt8] {
        Unicode.Scalar(value).map { Array(String($0).utf8) } ?? [0xFF]
    }

    private func beginsAtText(_ start: Int32) -> Bool {
        var step = steps[Int(start)]
        while step.operation == .save { step = steps[Int(step.next)] }
        return step.operation == .assertion && Self.assertions[Int(step.argument)] == .beginText
    }

    /// Finds what each step may go on with, and decides the choices that can be decided by it.
    private mutating func decide() {
        var sets = [FirstSet](repeating: FirstSet(), count: steps.count)
        var isStable = false
        while !isStable {
            isStable = true
            for (index, step) in steps.enumerated() {
                let set = firstSet(step, sets)
                if set != sets[index] {
                    sets[index] = set
                    isStable = false
                }
            }
        }
        first = sets[Int(start)]
        var known: [FirstSet: Int32] = [:]
        for index in steps.indices where steps[index].operation == .choice {
            let set = sets[Int(steps[index].next)]
            if set.isDisjoint(with: sets[Int(steps[index].other)]) {
                steps[index].operation = .decision
                if known[set] == nil {
                    known[set] = Int32(firstSets.count)
                    firstSets.append(set)
                }
                steps[index].argument = known[set] ?? 0
                decisions += 1
            } else {
                steps[index].mark = Int32(choices)
                choices += 1
            }
        }
        var mark = Int32(choices)
        for index in steps.indices where steps[index].operation == .decision {
            steps[index].mark = mark
            mark += 1
        }
    }

    private func firstSet(_ step: Step, _ sets: [FirstSet]) -> FirstSet {
        switch step.operation {
        case .byte:
            let byte = UInt8(truncatingIfNeeded: step.argument)
            if byte >= 128 { return FirstSet(others: true) }
            return byte < 64 ? FirstSet(low: 1 << UInt64(byte)) : FirstSet(high: 1 << UInt64(byte - 64))
        case .characters:
            let set = classes[Int(step.argument)]
            return FirstSet(low: set.low, high: set.high, others: set.mayHoldOthers)
        case .choice, .decision:
            var set = sets[Int(step.next)]
            set.formUnion(sets[Int(step.other)])
            return set
        case .assertion:
            let set = sets[Int(step.next)]
            return Self.assertions[Int(step.argument)] == .endText ? FirstSet(end: set.end) : set
        case .save: return sets[Int(step.next)]
        case .match: return .anything
        }
    }
}
