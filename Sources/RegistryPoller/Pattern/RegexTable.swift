/// A program as a table of transitions: for each state and next byte the next state, found before the first text is read.
///
/// Only a program in which one next character leaves one way at most to go on has one, which most policies' patterns do
/// (`^main-[a-f0-9]+-(?P<ts>[0-9]+)`): one look-up a byte, and nothing is ever tried twice. A text with a byte beyond ASCII
/// is the program's.
///
/// It holds nothing but pointers, so that passing it on costs nothing; `deallocate()` ends it.
struct RegexTable {
    enum Outcome {
        case match, none
        /// The table does not know.
        case unknown
    }

    /// What a state and a byte lead to, where it is more than just the next state.
    private struct Turn {
        var target: Target
        /// Which slots are set to the place of the byte.
        var saves: Int32 = 0
        /// Unless below zero, the text up to this byte is a match, in case that going on leads to none; these are its slots.
        var fallback: Int32 = -1

        enum Target {
            case match, none, unknown
            case state(Int32)
        }
    }

    /// More states than this are not made: the table is to fit the processor's cache, and to be made quickly.
    private static let limit = 100
    /// A row has the bytes, and the end of the text last.
    private static let row = 257
    private static let end = 256
    private static let firstForeign = 128

    /// Where the row of the next state begins; what is below zero is the complement of a turn's index.
    private let transitions: UnsafeMutableBufferPointer<Int32>
    private let turns: UnsafeMutableBufferPointer<Turn>
    /// Slots of a turn: so many at its index, and then they.
    private let saves: UnsafeMutableBufferPointer<Int32>

    /// `nil` when the program is not of this kind.
    init?(_ program: RegexProgram) {
        guard var draft = Draft(program) else { return nil }
        draft.dropNeedlessFallbacks()
        var transitions: [Int32] = []
        var turns = [Turn(target: .none), Turn(target: .unknown)]
        var saves: [Int32] = [0]
        var known: [[Int]: Int32] = [[]: 0]
        func place(_ slots: [Int]) -> Int32 {
            if let place = known[slots] { return place }
            let place = Int32(saves.count)
            saves.append(Int32(slots.count))
            saves += slots.map { Int32($0) }
            known[slots] = place
            return place
        }
        for state in draft.ways.indices {
            for byte in 0..<Self.row {
                if byte >= Self.firstForeign && byte < Self.end {
                    transitions.append(~1)
                    continue
                }
                switch draft.ways[state][byte == Self.end ? Self.firstForeign : byte] {
                case .none:
                    transitions.append(~0)
                case .step(let next, let slots, nil) where slots.isEmpty:
                    transitions.append(next * Int32(Self.row))
                case .step(let next, let slots, let fallback):
                    transitions.append(~Int32(turns.count))
                    turns.append(
                        Turn(
                            target: .state(next * Int32(Self.row)), saves: place(slots),
                            fallback: fallback.map { place($0) } ?? -1))
                case .match(let slots):
                    transitions.append(~Int32(turns.count))
                    turns.append(Turn(target: .match, saves: place(slots)))
                }
            }
        }
        self.transitions = .allocate(capacity: transitions.count)
        _ = self.transitions.initialize(from: transitions)
        self.turns = .allocate(capacity: turns.count)
        _ = self.turns.initialize(from: turns)
        self.saves = .allocate(capacity: saves.count)
        _ = self.saves.initialize(from: saves)
    }

    func deallocate() {
        transitions.deallocate()
        turns.deallocate()
        saves.deallocate()
    }

    /// Where a state comes to by one byte; the slots are those that are set on the way.
    private enum Way {
        case none
        case match([Int])
        /// The next step, in the end the number of its state.
        case step(Int32, [Int], fallback: [Int]?)
    }

    /// The states' ways by each ASCII character and, last, by the end of the text.
    private struct Draft {
        var ways: [[Way]] = []

        init?(_ program: RegexProgram) {
            guard program.isAnchored else { return nil }
            // The first state is the only one at the beginning of the text.
            var states = [program.start]
            var numbers: [Int32: Int32] = [:]
            while ways.count < states.count {
                var row: [Way] = []
                for byte in 0...RegexTable.firstForeign {
                    var walk = Walk(program: program, byte: byte, isFirst: ways.isEmpty)
                    guard let way = walk.follow(states[ways.count], []) else { return nil }
                    guard case .step(let index, let slots, let fallback) = way else {
                        row.append(way)
                        continue
                    }
                    let number = numbers[index] ?? Int32(states.count)
                    if number == states.count {
                        guard states.count < RegexTable.limit else { return nil }
                        numbers[index] = number
                        states.append(index)
                    }
                    row.append(.step(number, slots, fallback: fallback))
                }
                ways.append(row)
            }
        }

        /// Where a match is certain to come, none has to be remembered.
        mutating func dropNeedlessFallbacks() {
            var isCertain = [Bool](repeating: true, count: ways.count)
            var isStable = false
            while !isStable {
                isStable = true
                for (state, row) in ways.enumerated() where isCertain[state] {
                    let fails = row.contains {
                        switch $0 {
                        case .none: true
                        case .match: false
                        case .step(let next, _, _): !isCertain[Int(next)]
                        }
                    }
                    if fails {
                        isCertain[state] = false
                        isStable = false
                    }
                }
            }
            for state in ways.indices {
                for (byte, way) in ways[state].enumerated() {
                    if case .step(let next, let slots, .some) = way, isCertain[Int(next)] {
                        ways[state][byte] = .step(next, slots, fallback: nil)
                    }
                }
            }
        }
    }

    /// Goes from a step to those that take the byte.
    private struct Walk {
        let program: RegexProgram
        /// `firstForeign` stands for the end.
        let byte: Int
        let isFirst: Bool
        /// Steps until it is given up: ways may be many.
        private var budget = 500

        init(program: RegexProgram, byte: Int, isFirst: Bool) {
            self.program = program
            self.byte = byte
            self.isFirst = isFirst
        }

        private var isEnd: Bool { byte == RegexTable.firstForeign }

        /// `nil` when more than one way goes on, or the byte alone does not tell.
        mutating func follow(_ start: Int32, _ before: [Int]) -> Way? {
            var slots = before
            var index = start
            while budget > 0 {
                budget -= 1
                let step = program.steps[Int(index)]
                switch step.operation {
                case .byte:
                    return byte == Int(step.argument) && !isEnd ? .step(step.next, slots, fallback: nil) : Way.none
                case .characters:
                    let takes = !isEnd && program.classes[Int(step.argument)].containsASCII(UInt8(byte))
                    return takes ? .step(step.next, slots, fallback: nil) : Way.none
                case .decision:
                    let set = program.firstSets[Int(step.argument)]
                    index = (isEnd ? set.end : set.contains(UInt8(byte))) ? step.next : step.other
                case .choice:
                    guard let first = follow(step.next, slots) else { return nil }
                    if case .match = first { return first }
                    guard let second = follow(step.other, slots) else { return nil }
                    switch (first, second) {
                    case (.none, _): return second
                    case (_, .none): return first
                    case (.step(let index, let slots, let earlier), .match(let later)):
                        return .step(index, slots, fallback: earlier ?? later)
                    default: return nil
                    }
                case .assertion:
                    switch RegexProgram.assertions[Int(step.argument)] {
                    case .beginText where isFirst: index = step.next
                    case .endText where isEnd: index = step.next
                    case .beginText, .endText: return Way.none
                    case .beginLine, .endLine, .wordBoundary, .noWordBoundary: return nil
                    }
                case .save:
                    slots.append(Int(step.argument))
                    index = step.next
                case .match:
                    return .match(slots)
                }
            }
            return nil
        }
    }

    /// - Parameters:
    ///   - slots: where the groups' places go, all of them -1 before; `nil` when nobody asks for them.
    ///   - spare: room for as many.
    func run(
        _ text: UnsafeBufferPointer<UInt8>, _ slots: UnsafeMutableBufferPointer<Int>?,
        _ spare: UnsafeMutableBufferPointer<Int>
    ) -> Outcome {
        var row: Int32 = 0
        var position = 0
        // The match to fall back to: where it ends, and which slots it sets; what was set before it is in `slots`, or, when
        // those have changed since, in `spare`.
        var lastEnd = -1
        var lastSaves: Int32 = 0
        var isSpared = false
        while true {
            let byte = position < text.count ? Int(text[position]) : Self.end
            let next = transitions[Int(row) &+ byte]
            if next >= 0 {
                row = next
                position &+= 1
                continue
            }
            let turn = turns[Int(~next)]
            if turn.fallback >= 0 {
                guard slots != nil else { return .match }
                (lastEnd, lastSaves, isSpared) = (position, turn.fallback, false)
            }
            if turn.saves != 0, let slots {
                if lastEnd >= 0, !isSpared {
                    _ = spare.update(fromContentsOf: slots)
                    isSpared = true
                }
                save(turn.saves, position, slots)
            }
            switch turn.target {
            case .state(let next):
                row = next
                position &+= 1
                continue
            case .unknown:
                return .unknown
            case .match:
                break
            case .none:
                if lastEnd < 0 { return .none }
                guard let slots else { return .match }
                if isSpared { _ = slots.update(fromContentsOf: spare) }
                save(lastSaves, lastEnd, slots)
                position = lastEnd
            }
            if let slots {
                slots[0] = 0
                slots[1] = position
            }
            return .match
        }
    }

    @inline(__always)
    private func save(_ list: Int32, _ position: Int, _ slots: UnsafeMutableBufferPointer<Int>) {
        let first = Int(list) + 1
        for index in first..<(first + Int(saves[Int(list)])) { slots[Int(saves[index])] = position }
    }
}
