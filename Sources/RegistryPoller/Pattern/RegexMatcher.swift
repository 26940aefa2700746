/// Runs a program over texts, with the memory that this needs.
///
/// The ways are tried in order, the preferred one first, and none twice from one place: a bit for each choice and place says
/// where it has been. The time for a text is bounded by the steps of the program times the length of the text, whatever the
/// pattern; a matcher that had to go back more often than its budget allows gives up for good, so that many texts cannot
/// add up to a standstill either.
final class RegexMatcher {
    private let program: RegexProgram
    private let steps: UnsafeMutablePointer<RegexProgram.Step>
    private let classes: UnsafeMutablePointer<(low: UInt64, high: UInt64)>
    private let firstSets: UnsafeMutablePointer<RegexProgram.FirstSet>
    /// The groups' places, and as much room again for the table.
    private let slots: UnsafeMutablePointer<Int>
    private let slotCount: Int
    private let work: UnsafeMutablePointer<Work>
    /// Where a decision is come to more than once, it is to be made once.
    private let marksDecisions: Bool
    /// The quicker way, for programs that have it and are run often.
    private let table: RegexTable?

    /// A table takes as long to make as some hundred texts.
    private static let manyTexts = 500

    /// What changes while it runs. Behind a pointer, because looking after each access to a property of an object takes longer
    /// than the step that needs it.
    private struct Work {
        var budget: Int
        var visited: UnsafeMutableBufferPointer<UInt64>
        var waiting: UnsafeMutableBufferPointer<Attempt>
        /// How many attempts wait.
        var count = 0

        mutating func push(_ attempt: Attempt) {
            if count == waiting.count {
                let larger = UnsafeMutableBufferPointer<Attempt>.allocate(capacity: count * 2)
                _ = larger.moveInitialize(fromContentsOf: waiting)
                waiting.deallocate()
                waiting = larger
            }
            waiting[count] = attempt
            count += 1
        }
    }

    /// A way to be tried, or (with `step` below zero) a slot to be set back.
    private struct Attempt {
        var step: Int32
        var position: Int
    }

    /// - Parameter texts: about how many it is for; its budget grows with them.
    init(_ expression: RegularExpression, texts: Int = 1) {
        program = expression.program
        table = texts >= Self.manyTexts ? RegexTable(expression.program) : nil
        let waiting = UnsafeMutableBufferPointer<Attempt>.allocate(capacity: 64)
        waiting.initialize(repeating: Attempt(step: 0, position: 0))
        work = .allocate(capacity: 1)
        work.initialize(
            to: Work(
                budget: 2_000_000 + 200 * texts, visited: UnsafeMutableBufferPointer(start: nil, count: 0),
                waiting: waiting))
        marksDecisions = !program.isAnchored || program.choices > 0
        steps = .allocate(capacity: program.steps.count)
        steps.initialize(from: program.steps, count: program.steps.count)
        classes = .allocate(capacity: max(1, program.classes.count))
        for (index, set) in program.classes.enumerated() {
            (classes + index).initialize(to: (set.low, set.high))
        }
        firstSets = .allocate(capacity: max(1, program.firstSets.count))
        firstSets.initialize(from: program.firstSets, count: program.firstSets.count)
        slotCount = 2 * expression.groupNames.count
        slots = .allocate(capacity: 2 * slotCount)
        slots.initialize(repeating: -1, count: 2 * slotCount)
    }

    deinit {
        steps.deallocate()
        classes.deallocate()
        firstSets.deallocate()
        slots.deallocate()
        table?.deallocate()
        work.pointee.visited.deallocate()
        work.pointee.waiting.deallocate()
        work.deallocate()
    }

    /// The budget is used up: no answer since then is to be relied on.
    var isExhausted: Bool { work.pointee.budget < 0 }

    func matches(_ text: UnsafeBufferPointer<UInt8>) -> Bool { find(text, captures: false) }

    /// Finds the leftmost match, of those the preferred one; the groups are then in `group(_:)`.
    func capture(_ text: UnsafeBufferPointer<UInt8>) -> Bool { find(text, captures: true) }

    /// The bytes of a group in the last captured match; `nil` when it took no part.
    func group(_ index: Int) -> Range<Int>? {
        guard index < slotCount / 2, slots[2 * index] >= 0, slots[2 * index + 1] >= 0 else { return nil }
        return slots[2 * index]..<slots[2 * index + 1]
    }

    func group(firstOf groups: [Int]) -> Range<Int>? {
        for index in groups {
            if let range = group(index) { return range }
        }
        return nil
    }

    private func find(_ text: UnsafeBufferPointer<UInt8>, captures: Bool) -> Bool {
        guard work.pointee.budget >= 0 else { return false }
        if let table {
            if captures { slots.update(repeating: -1, count: slotCount) }
            let room = UnsafeMutableBufferPointer(start: slots, count: slotCount)
            let spare = UnsafeMutableBufferPointer(start: slots + slotCount, count: slotCount)
            switch table.run(text, captures ? room : nil, spare) {
            case .match: return true
            case .none: return false
            case .unknown: break
            }
        }
        let bits = (program.choices + (marksDecisions ? program.decisions : 0)) * (text.count + 1)
        if bits > 0 {
            let words = bits / 64 + 1
            if work.pointee.visited.count < words {
                work.pointee.visited.deallocate()
                work.pointee.visited = .allocate(capacity: words)
                work.pointee.visited.initialize(repeating: 0)
            } else if let start = work.pointee.visited.baseAddress {
                start.update(repeating: 0, count: words)
            }
        }
        if program.isAnchored { return run(text, from: 0, captures: captures) }
        var position = 0
        while position <= text.count {
            if position < text.count ? program.first.contains(text[position]) : program.first.end {
                if run(text, from: position, captures: captures) { return true }
                work.pointee.budget &-= 1
                if work.pointee.budget < 0 { return false }
            }
            // A match begins between characters.
            position += position < text.count && text[position] >= 128 ? Self.decode(text, position).1 : 1
        }
        return false
    }

    /// Marks a place; says whether it was new.
    @inline(__always)
    private func visit(_ bit: Int) -> Bool {
        let words = work.pointee.visited
        let mask: UInt64 = 1 << UInt64(bit & 63)
        if words[bit >> 6] & mask != 0 { return false }
        words[bit >> 6] |= mask
        return true
    }

    private func run(_ text: UnsafeBufferPointer<UInt8>, from origin: Int, captures: Bool) -> Bool {
        let count = text.count
        if captures { slots.update(repeating: -1, count: slotCount) }
        work.pointee.count = 0
        var index = program.start
        var position = origin
        while true {
            let step = steps[Int(index)]
            var goesOn = false
            switch step.operation {
            case .byte:
                if position < count, text[position] == UInt8(truncatingIfNeeded: step.argument) {
                    position += 1
                    goesOn = true
                }
            case .characters:
                if position < count {
                    let byte = text[position]
                    let set = classes[Int(step.argument)]
                    if byte < 128 {
                        goesOn =
                            (byte < 64
                                ? set.low >> UInt64(truncatingIfNeeded: byte)
                                : set.high >> UInt64(truncatingIfNeeded: byte &- 64)) & 1 != 0
                        position += 1
                    } else {
                        let (scalar, length) = Self.decode(text, position)
                        goesOn = program.classes[Int(step.argument)].contains(scalar)
                        position += length
                    }
                }
            case .choice:
                if visit(Int(step.mark) * (count + 1) + position) {
                    work.pointee.push(Attempt(step: step.other, position: position))
                    goesOn = true
                }
            case .decision:
                if marksDecisions, !visit(Int(step.mark) * (count + 1) + position) { break }
                let set = firstSets[Int(step.argument)]
                if !(position < count ? set.contains(text[position]) : set.end) {
                    index = step.other
                    continue
                }
                goesOn = true
            case .assertion:
                goesOn = holds(RegexProgram.assertions[Int(step.argument)], text, position)
            case .save:
                if captures {
                    let slot = Int(step.argument)
                    if work.pointee.count > 0 {
                        work.pointee.push(Attempt(step: ~step.argument, position: slots[slot]))
                    }
                    slots[slot] = position
                }
                goesOn = true
            case .match:
                if captures {
                    slots[0] = origin
                    slots[1] = position
                }
                return true
            }
            if goesOn {
                index = step.next
                continue
            }
            repeat {
                guard work.pointee.count > 0 else { return false }
                work.pointee.count -= 1
                let attempt = work.pointee.waiting[work.pointee.count]
                work.pointee.budget &-= 1
                if attempt.step < 0 {
                    slots[Int(~attempt.step)] = attempt.position
                } else {
                    index = attempt.step
                    position = attempt.position
                    goesOn = true
                }
            } while !goesOn
            if work.pointee.budget < 0 { return false }
        }
    }

    private func holds(_ assertion: RegexAssertion, _ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> Bool {
        func isWord(_ index: Int) -> Bool {
            index >= 0 && index < text.count && text[index] < 128 && CharacterClass.word.containsASCII(text[index])
        }
        return switch assertion {
        case .beginText: position == 0
        case .endText: position == text.count
        case .beginLine: position == 0 || text[position - 1] == UInt8(ascii: "\n")
        case .endLine: position == text.count || text[position] == UInt8(ascii: "\n")
        case .wordBoundary: isWord(position - 1) != isWord(position)
        case .noWordBoundary: isWord(position - 1) == isWord(position)
        }
    }

    /// One character beyond ASCII; a byte that is part of none is U+FFFD, as Go has it.
    private static func decode(_ text: UnsafeBufferPointer<UInt8>, _ position: Int) -> (UInt32, Int) {
        var iterator = text[position..<min(position + 4, text.count)].makeIterator()
        var codec = UTF8()
        guard case .scalarValue(let scalar) = codec.decode(&iterator) else { return (0xFFFD, 1) }
        return (scalar.value, UTF8.width(scalar))
    }
}
