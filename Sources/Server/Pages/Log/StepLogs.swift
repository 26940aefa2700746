import Agent
import Text

/// A build's log, taken apart by its steps. Steps may run side by side, and their lines stand between each other: the log says which step
/// a line is of, or it is of the step that was named last (`BuildProgress` writes it so).
struct StepLogs: Sendable {
    /// A page shows the log as text.
    let text: [UInt8]
    /// Where each line is, by the number of its step; those of step 0 are the build's own.
    private let places: [[Range<Int>]]
    /// Whether all of the log was read.
    let isComplete: Bool

    /// - Parameters:
    ///   - steps: in the order of their numbers.
    ///   - isComplete: whether `text` is all of it.
    init(_ text: [UInt8], of steps: [BuildRecord.Step], isComplete: Bool) {
        self.text = text
        self.isComplete = isComplete
        var sorter = LineSorter(steps)
        var start = 0
        while start < text.count {
            let end = text[start...].firstIndex(of: UInt8(ascii: "\n")) ?? text.count
            sorter.take(text[start..<end])
            start = end + 1
        }
        places = sorter.places
    }

    var isEmpty: Bool { text.isEmpty }

    /// Of a step that the log has nothing of, 0.
    func count(of step: Int) -> Int { places.indices.contains(step) ? places[step].count : 0 }

    /// - Parameter number: from 1.
    func line(_ number: Int, of step: Int) -> String { String(decoding: text[places[step][number - 1]], as: UTF8.self) }

    /// The numbers of the lines that have a text, whatever the case of its letters and their colours.
    ///
    /// - Parameter limit: of how many are found.
    func lines(of step: Int, with wanted: String, limit: Int) -> [Int] {
        guard count(of: step) > 0, !wanted.isEmpty else { return [] }
        let lowered = wanted.lowercased()
        // Most lines are plain, and there may be a hundred thousand of them.
        let bytes = lowered.utf8.allSatisfy { $0 < 0x80 } ? Array(lowered.utf8) : nil
        var found: [Int] = []
        for number in 1...count(of: step) where found.count < limit {
            let line = text[places[step][number - 1]]
            let isFound =
                if let bytes, !line.contains(0x1b), !line.contains(0x0d) {
                    Self.contains(line, bytes)
                } else {
                    StyledLine(self.line(number, of: step)).text.lowercased().contains(lowered)
                }
            if isFound { found.append(number) }
        }
        return found
    }

    private static func contains(_ line: ArraySlice<UInt8>, _ wanted: [UInt8]) -> Bool {
        guard line.count >= wanted.count else { return false }
        for start in line.startIndex...(line.endIndex - wanted.count) {
            var index = 0
            while index < wanted.count, lowered(line[start + index]) == wanted[index] { index += 1 }
            if index == wanted.count { return true }
        }
        return false
    }

    private static func lowered(_ byte: UInt8) -> UInt8 { (0x41...0x5a).contains(byte) ? byte + 0x20 : byte }
}

/// Finds out, line after line, which step each is of.
private struct LineSorter {
    private(set) var places: [[Range<Int>]]
    private let numbers: [[UInt8]: Int]
    /// The step that was named last.
    private var current = 0

    init(_ steps: [BuildRecord.Step]) {
        places = Array(repeating: [], count: steps.count + 1)
        numbers = Dictionary(
            steps.enumerated().map { (Self.label(of: $1), $0 + 1) }, uniquingKeysWith: { first, _ in first })
    }

    /// As the log names it, without its brackets.
    private static func label(of step: BuildRecord.Step) -> [UInt8] {
        Array(printable((step.stage.isEmpty ? "" : step.stage + " ") + "\(step.index)/\(step.count)").utf8)
    }

    mutating func take(_ line: ArraySlice<UInt8>) {
        let content = line.drop { $0 == UInt8(ascii: " ") }
        switch content.startIndex - line.startIndex {
        case 2:
            // The step begins, or its time is told: both are in its row.
            if let (step, _) = named(content) {
                current = step
            } else {
                places[0].append(line.startIndex..<line.endIndex)
            }
        case 4...:
            let rest = line.dropFirst(4)
            let (step, own) = named(rest) ?? (current, rest)
            let isOutput = own.starts(with: [UInt8(ascii: "|"), UInt8(ascii: " ")])
            let shown = isOutput ? own.dropFirst(2) : own
            places[step].append(shown.startIndex..<shown.endIndex)
        default:
            // Where lines were left out, the last name may be among them.
            if content.starts(with: "…".utf8) { current = 0 }
            places[0].append(line.startIndex..<line.endIndex)
        }
    }

    /// The step that `[stage 2/5] …` names, and what follows.
    private func named(_ text: ArraySlice<UInt8>) -> (step: Int, rest: ArraySlice<UInt8>)? {
        guard text.first == UInt8(ascii: "["), let end = text.firstIndex(of: UInt8(ascii: "]")),
            let step = numbers[Array(text[(text.startIndex + 1)..<end])]
        else { return nil }
        let rest = text[(end + 1)...]
        return (step, rest.first == UInt8(ascii: " ") ? rest.dropFirst() : rest)
    }
}
