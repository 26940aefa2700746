import Text

/// One line of a log as a page shows it: its colours (SGR, ECMA-48 section 8.3.117) are classes of the style sheet, because the content
/// security policy allows no style of their own. Backgrounds and everything else that steers a terminal are left out.
struct StyledLine: Sendable, Equatable {
    struct Run: Sendable, Equatable {
        var text: String
        var style: TextStyle
    }

    let runs: [Run]
    /// Characters that are left out at the end.
    let missing: Int

    /// - Parameters:
    ///   - line: a carriage return goes back to its beginning: what follows the last one is shown.
    ///   - limit: in characters.
    init(_ line: some StringProtocol, limit: Int = .max) {
        // Most lines are plain, and there may be a hundred thousand of them.
        if line.utf8.count <= limit, !line.utf8.contains(where: { $0 == 0x1b || $0 == 0x0d }) {
            (runs, missing) = (line.isEmpty ? [] : [Run(text: String(line), style: TextStyle())], 0)
            return
        }
        var (parser, style) = (EscapeParser(), TextStyle())
        var runs: [Run] = []
        var (count, missing) = (0, 0)
        for scalar in line.unicodeScalars {
            switch parser.take(scalar) {
            case .character("\r"): (runs, count, missing) = ([], 0, 0)
            case .character(let character):
                guard count < limit else {
                    missing += 1
                    continue
                }
                count += 1
                if runs.last?.style != style { runs.append(Run(text: "", style: style)) }
                runs[runs.count - 1].text.unicodeScalars.append(character)
            case .sequence(let parameters, "m"): style.apply(parameters)
            default: continue
            }
        }
        self.runs = runs
        self.missing = missing
    }

    /// Without colours.
    var text: String { runs.map(\.text).joined() }

    @HTMLBuilder var html: HTML {
        for run in runs {
            if run.style.isPlain { run.text } else { Tag.span(.class(run.style.classes)) { run.text } }
        }
        if missing > 0 { " … \(missing) more" }
    }
}

/// How text is to be shown, as far as pages do.
struct TextStyle: Sendable, Equatable {
    /// 0 to 7 as in SGR 30 to 37, and 8 for grey; `nil`: the text's own.
    private(set) var colour: Int?
    private var isBold = false
    private var isItalic = false
    private var isUnderlined = false

    var isPlain: Bool { self == TextStyle() }

    /// Of the style sheet.
    var classes: String {
        [colour.map { "a\($0)" }, isBold ? "ab" : nil, isItalic ? "ai" : nil, isUnderlined ? "au" : nil]
            .compactMap(\.self).joined(separator: " ")
    }

    /// - Parameter parameters: of an SGR sequence, `1;31`.
    mutating func apply(_ parameters: String) {
        var values = parameters.split(whereSeparator: { $0 == ";" || $0 == ":" }).map { Int($0) ?? 0 }[...]
        if values.isEmpty { values = [0] }
        while let value = values.popFirst() {
            switch value {
            case 0: self = TextStyle()
            case 1: isBold = true
            case 3: isItalic = true
            case 4: isUnderlined = true
            case 22: isBold = false
            case 23: isItalic = false
            case 24: isUnderlined = false
            case 30...37: colour = value - 30
            case 38: if let other = Self.extended(&values) { colour = other }
            case 39: colour = nil
            // Its colour is not shown, and not to be taken for something else.
            case 48, 58: _ = Self.extended(&values)
            case 90: colour = 8
            case 91...97: colour = value - 90
            default: break
            }
        }
    }

    /// What follows 38: `5;INDEX` of 256 colours (xterm's), or `2;RED;GREEN;BLUE`.
    private static func extended(_ values: inout ArraySlice<Int>) -> Int? {
        switch values.popFirst() {
        case 5:
            guard let index = values.popFirst() else { return nil }
            switch index {
            case 0...7: return index
            case 8: return 8
            case 9...15: return index - 8
            case 16...231:
                let levels = [0, 95, 135, 175, 215, 255]
                let cube = index - 16
                return nearest(levels[cube / 36], levels[cube / 6 % 6], levels[cube % 6])
            case 232...255: return nearest(8 + (index - 232) * 10, 8 + (index - 232) * 10, 8 + (index - 232) * 10)
            default: return nil
            }
        case 2:
            let parts = values.prefix(3)
            values = values.dropFirst(3)
            guard parts.count == 3, let first = parts.first, let last = parts.last else { return nil }
            return nearest(first, parts[parts.startIndex + 1], last)
        default: return nil
        }
    }

    /// A colour without a hue is grey or white; else its hue decides, so that a dark red is still red.
    private static func nearest(_ red: Int, _ green: Int, _ blue: Int) -> Int {
        let values = [red, green, blue].map { min(max($0, 0), 255) }
        let (low, high) = (values.min() ?? 0, values.max() ?? 0)
        guard high - low > 40 else { return high > 170 ? 7 : 8 }
        let middle = (low + high) / 2
        // In the order of SGR: red is 1, green 2, blue 4.
        return (values[0] > middle ? 1 : 0) + (values[1] > middle ? 2 : 0) + (values[2] > middle ? 4 : 0)
    }
}
