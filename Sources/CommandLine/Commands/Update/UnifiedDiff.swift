import YAML

/// A unified diff of a file that was changed by splices, as `git diff` prints it: it is made from the splices
/// themselves, so that it never costs more than what changed.
enum UnifiedDiff {
    private static let context = 3

    /// - Returns: the diff with its `---` and `+++` lines; empty when the texts are the same.
    static func text(path: String, old: [UInt8], new: [UInt8], splices: [Splice], isNewFile: Bool = false)
        -> String
    {
        let oldLines = lines(of: old)
        let newLines = lines(of: new)
        var hunks: [Hunk] = []
        var shift = 0
        for splice in joined(splices) {
            let newRange = splice.range.lowerBound + shift..<splice.range.lowerBound + shift + splice.bytes.count
            shift += splice.bytes.count - splice.range.count
            let before = touched(splice.range, oldLines, count: old.count)
            let after = touched(newRange, newLines, count: new.count)
            // Lines that are the same at the edges were only touched.
            var (low, high) = (0, 0)
            let limit = min(before.count, after.count)
            while low < limit,
                old[oldLines[before.lowerBound + low]].elementsEqual(new[newLines[after.lowerBound + low]])
            { low += 1 }
            while high < limit - low,
                old[oldLines[before.upperBound - 1 - high]].elementsEqual(new[newLines[after.upperBound - 1 - high]])
            { high += 1 }
            let change = Change(
                old: before.lowerBound + low..<before.upperBound - high,
                new: after.lowerBound + low..<after.upperBound - high)
            if change.old.isEmpty && change.new.isEmpty { continue }
            if let last = hunks.last?.changes.last, change.old.lowerBound < last.old.upperBound {
                // Two changes of one line are one.
                let index = hunks.count - 1
                let merged = Change(
                    old: last.old.lowerBound..<max(last.old.upperBound, change.old.upperBound),
                    new: last.new.lowerBound..<max(last.new.upperBound, change.new.upperBound))
                hunks[index].changes[hunks[index].changes.count - 1] = merged
            } else if let last = hunks.last?.changes.last, change.old.lowerBound - last.old.upperBound <= 2 * context {
                hunks[hunks.count - 1].changes.append(change)
            } else {
                hunks.append(Hunk(changes: [change]))
            }
        }
        guard !hunks.isEmpty else { return "" }
        var text = isNewFile ? "--- /dev/null\n" : "--- a/\(path)\n"
        text += "+++ b/\(path)\n"
        for hunk in hunks { text += render(hunk, old, oldLines, new, newLines) }
        return text
    }

    private struct Change {
        var old: Range<Int>
        var new: Range<Int>
    }

    private struct Hunk {
        var changes: [Change]
    }

    /// In the order in which they are carried out; those that touch each other as one.
    private static func joined(_ splices: [Splice]) -> [Splice] {
        var result: [Splice] = []
        let ordered = splices.enumerated().sorted {
            ($0.element.range.lowerBound, $0.element.range.upperBound, $0.offset)
                < ($1.element.range.lowerBound, $1.element.range.upperBound, $1.offset)
        }
        for splice in ordered.map(\.element) {
            guard let last = result.last, last.range.upperBound == splice.range.lowerBound else {
                result.append(splice)
                continue
            }
            result[result.count - 1] = Splice(
                range: last.range.lowerBound..<splice.range.upperBound, bytes: last.bytes + splice.bytes)
        }
        return result
    }

    /// Ranges of the lines, each with its line break. Diffs know LF only; a CR stays at the end of its line.
    private static func lines(of bytes: [UInt8]) -> [Range<Int>] {
        var lines: [Range<Int>] = []
        var start = 0
        for index in bytes.indices where bytes[index] == 0x0A {
            lines.append(start..<index + 1)
            start = index + 1
        }
        if start < bytes.count { lines.append(start..<bytes.count) }
        return lines
    }

    /// The lines that a range lies in; an empty range at a line's start touches that line.
    private static func touched(_ range: Range<Int>, _ lines: [Range<Int>], count: Int) -> Range<Int> {
        func line(of offset: Int) -> Int {
            var (low, high) = (0, lines.count)
            while low < high {
                let middle = (low + high) / 2
                if lines[middle].upperBound <= offset { low = middle + 1 } else { high = middle }
            }
            return low
        }
        let first = line(of: range.lowerBound)
        // The line behind, too: a splice that ends with a line break says nothing of it, the trimming takes it away.
        return first..<max(first, min(lines.count, line(of: range.upperBound) + 1))
    }

    private static func render(
        _ hunk: Hunk, _ old: [UInt8], _ oldLines: [Range<Int>], _ new: [UInt8], _ newLines: [Range<Int>]
    ) -> String {
        guard let first = hunk.changes.first, let last = hunk.changes.last else { return "" }
        let start = max(0, first.old.lowerBound - context)
        let end = min(oldLines.count, last.old.upperBound + context)
        var body = ""
        func add(_ sign: String, _ bytes: ArraySlice<UInt8>) {
            body += sign + String(decoding: bytes, as: UTF8.self)
            if bytes.last != 0x0A { body += "\n\\ No newline at end of file\n" }
        }
        var position = start
        var newCount = 0
        for change in hunk.changes {
            for line in position..<change.old.lowerBound { add(" ", old[oldLines[line]]) }
            for line in change.old { add("-", old[oldLines[line]]) }
            for line in change.new { add("+", new[newLines[line]]) }
            newCount += change.old.lowerBound - position + change.new.count
            position = change.old.upperBound
        }
        for line in position..<end { add(" ", old[oldLines[line]]) }
        newCount += end - position
        let newStart = first.new.lowerBound - (first.old.lowerBound - start)
        func range(_ start: Int, _ count: Int) -> String {
            count == 1 ? "\(start + 1)" : "\(count == 0 ? start : start + 1),\(count)"
        }
        return "@@ -\(range(start, end - start)) +\(range(newStart, newCount)) @@\n" + body
    }
}
