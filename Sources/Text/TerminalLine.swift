/// What a program prints, by lines as a terminal would show them: a carriage return and a backspace go back over what is there,
/// and what erases a line does. Colours and their kin (SGR, ECMA-48 section 8.3.117) can be kept; nothing else of an escape
/// sequence comes out, nor a control character but the tab.
package struct TerminalLine: Sendable {
    /// A character and how it is shown, as an index of `styles`.
    private struct Cell {
        let scalar: Unicode.Scalar
        let style: Int
    }

    private let keepsColours: Bool
    /// In characters: what is longer goes on in another line.
    private let limit: Int
    private var parser = EscapeParser()
    private var cells: [Cell] = []
    private var column = 0
    /// SGR sequences that hold together; the first is none.
    private var styles = [""]
    private var style = 0
    /// The beginning of a character whose other bytes have not come.
    private var pending: [UInt8] = []

    /// How many styles a line has. Those after that are not shown.
    private static let styleLimit = 256

    package init(keepsColours: Bool = false, limit: Int = 2_000) {
        self.keepsColours = keepsColours
        self.limit = max(1, limit)
    }

    /// The line that is not over.
    package var text: String {
        var result = String.UnicodeScalarView()
        var current = 0
        for cell in cells {
            if cell.style != current {
                if current != 0 { result.append(contentsOf: Self.reset.unicodeScalars) }
                result.append(contentsOf: styles[cell.style].unicodeScalars)
                current = cell.style
            }
            result.append(cell.scalar)
        }
        if current != 0 { result.append(contentsOf: Self.reset.unicodeScalars) }
        return String(result)
    }

    private static let reset = "\u{1B}[0m"

    package var isEmpty: Bool { cells.isEmpty }

    /// - Returns: the lines that end here.
    package mutating func take(_ bytes: [UInt8]) -> [String] {
        pending += bytes
        let whole = Self.wholeCharacters(pending)
        let text = String(decoding: pending[..<whole], as: UTF8.self)
        pending.removeSubrange(..<whole)
        var lines: [String] = []
        for scalar in text.unicodeScalars {
            if scalar == "\n" {
                lines.append(end())
            } else if let part = parser.take(scalar) {
                take(part, &lines)
            }
        }
        return lines
    }

    /// Ends the line: what was not ended by the program, too.
    package mutating func end() -> String {
        defer {
            cells.removeAll(keepingCapacity: true)
            column = 0
            parser = EscapeParser()
            styles = style == 0 ? [""] : ["", styles[style]]
            style = style == 0 ? 0 : 1
        }
        return text
    }

    private mutating func take(_ part: EscapeParser.Part, _ lines: inout [String]) {
        switch part {
        case .character("\r"): column = 0
        case .character("\u{8}"): column = max(0, column - 1)
        case .character(let scalar):
            guard let shown = Self.shown(scalar) else { return }
            if column >= limit {
                lines.append(text)
                cells.removeAll(keepingCapacity: true)
                column = 0
            }
            let cell = Cell(scalar: shown, style: style)
            if column < cells.count { cells[column] = cell } else { cells.append(cell) }
            column += 1
        case .sequence(let parameters, "K"): erase(parameters)
        // CHA and CUB: to a column, and back by some.
        case .sequence(let parameters, "G"): column = min(Self.count(parameters) - 1, cells.count)
        case .sequence(let parameters, "D"): column = max(0, column - Self.count(parameters))
        case .sequence(let parameters, "m"): if keepsColours { dress(parameters) }
        case .sequence: break
        }
    }

    /// The only parameter of a sequence that moves the cursor; 1 where there is none, and at least.
    private static func count(_ parameters: String) -> Int { min(max(1, Int(parameters) ?? 1), 1 << 16) }

    /// EL: to the end of the line, from its beginning, or all of it.
    private mutating func erase(_ parameters: String) {
        switch parameters {
        case "", "0": cells.removeSubrange(min(column, cells.count)...)
        case "1":
            for index in 0..<min(column + 1, cells.count) { cells[index] = Cell(scalar: " ", style: 0) }
        case "2":
            // What is printed next begins where the cursor is; programs go back first, or right after.
            cells.removeAll(keepingCapacity: true)
            column = 0
        default: break
        }
    }

    /// SGR: what comes next is shown like that, on top of what holds already.
    private mutating func dress(_ parameters: String) {
        guard parameters.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x3b || $0 == 0x3a }) else { return }
        let values = parameters.split(separator: ";", omittingEmptySubsequences: false)
        var wanted = styles[style]
        if values.allSatisfy({ $0.allSatisfy { $0 == "0" } }) {
            wanted = ""
        } else {
            // One that begins anew needs nothing of what was before.
            let sequence = "\u{1B}[\(parameters)m"
            let isNew = values.first.map { $0.allSatisfy { $0 == "0" } } == true || wanted.utf8.count > 100
            wanted = isNew ? sequence : wanted + sequence
        }
        if let known = styles.firstIndex(of: wanted) {
            style = known
        } else if styles.count < Self.styleLimit {
            styles.append(wanted)
            style = styles.count - 1
        } else {
            style = 0
        }
    }

    /// `nil` for a control character. What changes the direction of writing, or cannot be seen, is not left out in silence: it could
    /// make one text look like another.
    private static func shown(_ scalar: Unicode.Scalar) -> Unicode.Scalar? {
        switch scalar.value {
        case 0x09: scalar
        case 0..<0x20, 0x7f..<0xa0: nil
        case 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x2069: "\u{FFFD}"
        default: scalar
        }
    }

    /// How many bytes there are without a character at the end that is not whole.
    private static func wholeCharacters(_ bytes: [UInt8]) -> Int {
        // The first byte of the last character is among the last three, if that is not whole.
        for distance in 1...3 where distance <= bytes.count {
            let byte = bytes[bytes.count - distance]
            if byte & 0b1100_0000 == 0b1000_0000 { continue }
            let length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
            return length > distance ? bytes.count - distance : bytes.count
        }
        return bytes.count
    }
}
