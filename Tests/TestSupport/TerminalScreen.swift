/// What a terminal shows of a program's output: lines that wrap, the cursor going up, and erasing downwards.
package struct TerminalScreen {
    private let columns: Int
    private var lines: [[Character]] = [[]]
    private var row = 0
    private var column = 0
    private var isHidden = false
    /// Sequences that this screen does not know.
    package private(set) var unknown: [String] = []
    /// All that was ever erased, as it was on the screen then, top to bottom.
    package private(set) var erased: [[String]] = []

    package init(columns: Int, _ output: String) {
        self.columns = columns
        var rest = Array(output.unicodeScalars)[...]
        while let scalar = rest.popFirst() {
            switch scalar {
            case "\u{1B}": escape(&rest)
            case "\r": column = 0
            case "\n": down()
            default: put(Character(scalar))
            }
        }
    }

    /// The lines with their trailing blanks cut, without empty ones at the end.
    package var text: [String] {
        var all = lines.map(Self.trimmed)
        while all.last == "" { all.removeLast() }
        return all
    }

    package var isCursorVisible: Bool { !isHidden }
    package var cursorColumn: Int { column }

    private static func trimmed(_ line: [Character]) -> String {
        var line = line
        while line.last == " " { line.removeLast() }
        return String(line)
    }

    private mutating func down() {
        row += 1
        column = 0
        if row == lines.count { lines.append([]) }
    }

    private mutating func put(_ character: Character) {
        if column == columns { down() }
        while lines[row].count <= column { lines[row].append(" ") }
        lines[row][column] = character
        column += 1
    }

    private mutating func escape(_ rest: inout ArraySlice<Unicode.Scalar>) {
        guard rest.popFirst() == "[" else { return unknown.append("escape") }
        var parameters = ""
        while let scalar = rest.popFirst() {
            guard (0x40...0x7e).contains(scalar.value) else {
                parameters.unicodeScalars.append(scalar)
                continue
            }
            switch (scalar, parameters) {
            case ("A", _): row = max(0, row - (Int(parameters) ?? 1))
            case ("J", ""), ("J", "0"):
                erased.append(lines[row...].map(Self.trimmed))
                lines.removeSubrange((row + 1)...)
                lines[row].removeSubrange(min(column, lines[row].count)...)
            case ("l", "?25"): isHidden = true
            case ("h", "?25"): isHidden = false
            default: unknown.append(parameters + String(Character(scalar)))
            }
            return
        }
    }
}
