/// New bytes for a part of a text.
package struct Splice: Sendable, Equatable {
    package var range: Range<Int>
    package var bytes: [UInt8]

    package init(range: Range<Int>, bytes: [UInt8]) {
        self.range = range
        self.bytes = bytes
    }

    /// Carries out splices that do not overlap.
    package static func apply(_ splices: [Splice], to bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + 64 * splices.count)
        var position = 0
        let ordered = splices.enumerated().sorted {
            ($0.element.range.lowerBound, $0.element.range.upperBound, $0.offset)
                < ($1.element.range.lowerBound, $1.element.range.upperBound, $1.offset)
        }
        for splice in ordered.map(\.element) {
            guard splice.range.lowerBound >= position, splice.range.upperBound <= bytes.count else { continue }
            result += bytes[position..<splice.range.lowerBound]
            result += splice.bytes
            position = splice.range.upperBound
        }
        return result + bytes[position...]
    }
}

/// The smallest change of bytes that gives a scalar another value and keeps the way it is written.
package enum ScalarSplice {
    package struct Refusal: Error, Equatable, Sendable {
        package let reason: String

        package init(reason: String) { self.reason = reason }
    }

    /// One decoded piece of a quoted scalar: a character, an escape, or an escaped line break (which decodes to
    /// nothing).
    private struct Unit {
        var decoded: [UInt8]
        var raw: Range<Int>
    }

    /// - Parameters:
    ///   - node: a scalar of a parse of `bytes`.
    ///   - value: visible ASCII without blanks. Line breaks at the end of a block scalar are kept on top of it.
    /// - Returns: the splice; `nil` when the scalar has this value already.
    package static func replacing(
        _ node: YAMLNode, in bytes: [UInt8], with value: String
    ) throws(Refusal) -> Splice? {
        guard case .scalar(let old, let style) = node.content else { throw Refusal(reason: "it is no scalar") }
        guard value.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw Refusal(reason: "the new value holds blanks or characters outside ASCII")
        }
        guard node.range.upperBound <= bytes.count else { throw Refusal(reason: "it lies outside of the text") }
        if style.isBlock { return try replacingBlock(node, old: old, in: bytes, with: value) }
        if old == value, style != .plain { return nil }
        if style == .plain {
            if node.range.isEmpty { throw Refusal(reason: "no value is written there") }
            guard bytes[node.range].elementsEqual(old.utf8) else {
                throw Refusal(reason: "the plain text goes over several lines")
            }
            if old == value { return nil }
            let isString = node.tag == nil || node.tag == "tag:yaml.org,2002:str" || node.tag == "!"
            if !isString { throw Refusal(reason: "its tag '\(node.tag ?? "")' says that it is no text") }
            return Splice(range: node.range, bytes: PlainScalar.isSafe(value) ? Array(value.utf8) : quoted(value))
        }
        return try replacingQuoted(node, old: old, style, in: bytes, with: value)
    }

    private static func quoted(_ value: String) -> [UInt8] {
        [UInt8(ascii: "\"")] + escaped(Array(value.utf8), .doubleQuoted) + [UInt8(ascii: "\"")]
    }

    private static func escaped(_ text: some Sequence<UInt8>, _ style: YAMLScalarStyle) -> [UInt8] {
        text.flatMap { byte -> [UInt8] in
            switch (style, byte) {
            case (.singleQuoted, UInt8(ascii: "'")): [byte, byte]
            case (.doubleQuoted, UInt8(ascii: "\"")), (.doubleQuoted, UInt8(ascii: "\\")): [UInt8(ascii: "\\"), byte]
            default: [byte]
            }
        }
    }

    // MARK: Quoted

    private static func replacingQuoted(
        _ node: YAMLNode, old: String, _ style: YAMLScalarStyle, in bytes: [UInt8], with value: String
    ) throws(Refusal) -> Splice {
        guard node.range.count >= 2 else { throw Refusal(reason: "its quotes were not found") }
        let inner = node.range.lowerBound + 1..<node.range.upperBound - 1
        let units = style == .singleQuoted ? singleQuotedUnits(bytes, inner) : doubleQuotedUnits(bytes, inner)
        guard let units, units.flatMap(\.decoded).elementsEqual(old.utf8) else {
            throw Refusal(reason: "the quoted text goes over several lines")
        }
        // What the two values have in common keeps its bytes, so an escape elsewhere in the text stays an escape.
        var rest = Array(value.utf8)[...]
        var head = units[...]
        while let unit = head.first, rest.starts(with: unit.decoded) {
            rest = rest.dropFirst(unit.decoded.count)
            head = head.dropFirst()
        }
        var tail = head
        while let unit = tail.last, rest.suffix(unit.decoded.count).elementsEqual(unit.decoded) {
            rest = rest.dropLast(unit.decoded.count)
            tail = tail.dropLast()
        }
        let start = tail.first?.raw.lowerBound ?? (head.first?.raw.lowerBound ?? inner.upperBound)
        let end = tail.last?.raw.upperBound ?? start
        return Splice(range: start..<end, bytes: escaped(rest, style))
    }

    private static func singleQuotedUnits(_ bytes: [UInt8], _ range: Range<Int>) -> [Unit]? {
        var units: [Unit] = []
        var index = range.lowerBound
        while index < range.upperBound {
            let length = bytes[index] == UInt8(ascii: "'") ? 2 : 1
            guard index + length <= range.upperBound, !isBreak(bytes[index]) else { return nil }
            units.append(Unit(decoded: [bytes[index]], raw: index..<index + length))
            index += length
        }
        return units
    }

    private static func doubleQuotedUnits(_ bytes: [UInt8], _ range: Range<Int>) -> [Unit]? {
        var units: [Unit] = []
        var index = range.lowerBound
        while index < range.upperBound {
            let start = index
            index += 1
            if isBreak(bytes[start]) { return nil }
            guard bytes[start] == UInt8(ascii: "\\") else {
                units.append(Unit(decoded: [bytes[start]], raw: start..<index))
                continue
            }
            guard index < range.upperBound else { return nil }
            let letter = bytes[index]
            index += 1
            let decoded: [UInt8]
            if isBreak(letter) {
                // An escaped line break swallows the blanks at the start of the next line.
                if letter == 0x0D, index < range.upperBound, bytes[index] == 0x0A { index += 1 }
                while index < range.upperBound, bytes[index] == 0x20 || bytes[index] == 0x09 { index += 1 }
                decoded = []
            } else if let digits = [UInt8(ascii: "x"): 2, UInt8(ascii: "u"): 4, UInt8(ascii: "U"): 8][letter] {
                guard index + digits <= range.upperBound,
                    let code = UInt32(String(decoding: bytes[index..<index + digits], as: UTF8.self), radix: 16),
                    let scalar = Unicode.Scalar(code)
                else { return nil }
                index += digits
                decoded = Array(String(Character(scalar)).utf8)
            } else if let text = simpleEscapes[letter] {
                decoded = Array(text.utf8)
            } else {
                return nil
            }
            units.append(Unit(decoded: decoded, raw: start..<index))
        }
        return units
    }

    private static let simpleEscapes: [UInt8: String] = [
        UInt8(ascii: "0"): "\0", UInt8(ascii: "a"): "\u{7}", UInt8(ascii: "b"): "\u{8}", UInt8(ascii: "t"): "\t",
        0x09: "\t",
        UInt8(ascii: "n"): "\n", UInt8(ascii: "v"): "\u{B}", UInt8(ascii: "f"): "\u{C}", UInt8(ascii: "r"): "\r",
        UInt8(ascii: "e"): "\u{1B}", 0x20: " ", UInt8(ascii: "\""): "\"", UInt8(ascii: "/"): "/",
        UInt8(ascii: "\\"): "\\",
        UInt8(ascii: "N"): "\u{85}", UInt8(ascii: "_"): "\u{A0}", UInt8(ascii: "L"): "\u{2028}",
        UInt8(ascii: "P"): "\u{2029}",
    ]

    // MARK: Block

    /// A block scalar of one line: the line's text is replaced, the header, the indentation and the breaks stay.
    private static func replacingBlock(
        _ node: YAMLNode, old: String, in bytes: [UInt8], with value: String
    ) throws(Refusal) -> Splice? {
        if value.isEmpty { throw Refusal(reason: "a block text cannot be made empty") }
        // NEL, LS and PS end lines in YAML 1.1, and with libyaml: the text's last one is all that parts it from what follows.
        let rare: [Unicode.Scalar] = ["\u{85}", "\u{2028}", "\u{2029}"]
        let raw = String(decoding: bytes[node.range], as: UTF8.self).unicodeScalars
        if raw.contains(where: rare.contains) {
            throw Refusal(reason: "the block text holds a line break that editors do not show (NEL, LS or PS)")
        }
        var text = Array(old.utf8)[...]
        while text.last == 0x0A { text = text.dropLast() }
        var index = node.range.lowerBound
        while index < node.range.upperBound, !isBreak(bytes[index]) { index += 1 }
        var found: Range<Int>?
        while index < node.range.upperBound {
            while index < node.range.upperBound, isBreak(bytes[index]) || bytes[index] == 0x20 { index += 1 }
            let start = index
            while index < node.range.upperBound, !isBreak(bytes[index]) { index += 1 }
            if start == index { continue }
            if found != nil { throw Refusal(reason: "the block text has several lines") }
            found = start..<index
        }
        guard let found, bytes[found].elementsEqual(text) else {
            throw Refusal(reason: "the block text is not one line of its own")
        }
        return text.elementsEqual(value.utf8) ? nil : Splice(range: found, bytes: Array(value.utf8))
    }

    private static func isBreak(_ byte: UInt8) -> Bool { byte == 0x0A || byte == 0x0D }
}
