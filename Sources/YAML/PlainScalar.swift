/// What readers of YAML 1.1 and 1.2 make of a text that is written without quotes.
///
/// https://yaml.org/type/ and https://yaml.org/spec/1.2.2/#103-core-schema, with what go-yaml and PyYAML add.
package enum PlainScalar {
    /// Whether the text, written plain anywhere in a document, is read back as this same string by every reader.
    package static func isSafe(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.last != UInt8(ascii: ":") else { return false }
        switch first {
        case UInt8(ascii: "."):
            // A single dot before something else is harmless, `...` ends a document.
            if text.utf8.dropFirst().first.map({ $0 == UInt8(ascii: ".") }) ?? true { return false }
        case UInt8(ascii: "-"), UInt8(ascii: "?"), UInt8(ascii: ":"), UInt8(ascii: "@"), UInt8(ascii: "#"),
            UInt8(ascii: "="),
            UInt8(ascii: "<"), UInt8(ascii: "~"):
            return false
        default: break
        }
        return text.utf8.allSatisfy(isOrdinary) && isString(text)
    }

    /// Visible ASCII that is no indicator anywhere in a plain scalar, in block or in flow context.
    private static func isOrdinary(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: ","), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "{"), UInt8(ascii: "}"),
            UInt8(ascii: "&"),
            UInt8(ascii: "*"), UInt8(ascii: "!"), UInt8(ascii: "|"), UInt8(ascii: ">"), UInt8(ascii: "'"),
            UInt8(ascii: "\""), UInt8(ascii: "%"), UInt8(ascii: "`"):
            false
        default: (0x21...0x7E).contains(byte)
        }
    }

    /// Whether a plain, untagged scalar with this text is a string: not a null, boolean, number, date, or special key.
    package static func isString(_ text: String) -> Bool {
        switch text {
        case "", "~", "null", "Null", "NULL", "<<", "=": return false
        case "y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "NO", "true", "True", "TRUE", "false", "False",
            "FALSE",
            "on", "On", "ON", "off", "Off", "OFF":
            return false
        default: break
        }
        let bytes = Array(text.utf8)
        guard let first = bytes.first else { return false }
        // Every other type begins with a digit, a sign or a dot.
        guard isDigit(first) || first == UInt8(ascii: "+") || first == UInt8(ascii: "-") || first == UInt8(ascii: ".")
        else { return true }
        return !(isNumber(bytes) || isTimestamp(bytes))
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func isNumber(_ bytes: [UInt8]) -> Bool {
        var body = bytes[...]
        if body.first == UInt8(ascii: "+") || body.first == UInt8(ascii: "-") { body = body.dropFirst() }
        guard let first = body.first else { return false }
        let lower = String(decoding: body, as: UTF8.self).lowercased()
        if lower == ".inf" || lower == ".nan" { return true }
        if first == 0x30, body.count > 2 {
            let digits = body.dropFirst(2)
            switch body[body.startIndex + 1] | 0x20 {
            case UInt8(ascii: "x"):
                return digits.allSatisfy { isDigit($0) || $0 == 0x5F || (0x61...0x66).contains($0 | 0x20) }
            case UInt8(ascii: "o"), UInt8(ascii: "b"): return digits.allSatisfy { isDigit($0) || $0 == 0x5F }
            default: break
            }
        }
        return isDecimal(body) || isSexagesimal(body)
    }

    /// `12_000`, `0123`, `1.10`, `1.`, `.5`, `1e5`, `0e123456`.
    private static func isDecimal(_ body: ArraySlice<UInt8>) -> Bool {
        var rest = body
        let whole = rest.prefix { isDigit($0) || $0 == 0x5F }
        rest = rest.dropFirst(whole.count)
        var fraction = rest.prefix(0)
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            fraction = rest.prefix { isDigit($0) || $0 == 0x5F }
            rest = rest.dropFirst(fraction.count)
        }
        guard whole.contains(where: isDigit) || fraction.contains(where: isDigit), whole.first != 0x5F else {
            return false
        }
        if rest.isEmpty { return true }
        guard rest.removeFirst() | 0x20 == UInt8(ascii: "e") else { return false }
        if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
        return !rest.isEmpty && rest.allSatisfy { isDigit($0) || $0 == 0x5F }
    }

    /// `1:30`, `190:20:30.15` of YAML 1.1.
    private static func isSexagesimal(_ body: ArraySlice<UInt8>) -> Bool {
        let parts = body.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count > 1, let first = parts.first?.first, isDigit(first) else { return false }
        for (index, part) in parts.enumerated() {
            let isLast = index == parts.count - 1
            let digits = part.prefix { isDigit($0) || index == 0 && $0 == 0x5F }
            if digits.isEmpty || index > 0 && digits.count > 2 { return false }
            let tail = part.dropFirst(digits.count)
            let isFraction =
                isLast && tail.first == UInt8(ascii: ".") && tail.dropFirst().allSatisfy { isDigit($0) || $0 == 0x5F }
            if !tail.isEmpty && !isFraction { return false }
        }
        return true
    }

    /// `2024-01-01`, `2024-1-2`, and what starts like a date with a time.
    private static func isTimestamp(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        func digits(_ count: ClosedRange<Int>) -> Bool {
            let run = rest.prefix(while: isDigit)
            rest = rest.dropFirst(run.count)
            return count.contains(run.count)
        }
        func dash() -> Bool { rest.popFirst() == UInt8(ascii: "-") }
        guard digits(4...4), dash(), digits(1...2), dash(), digits(1...2) else { return false }
        guard let next = rest.popFirst() else { return true }
        let separators: [UInt8] = [UInt8(ascii: "T"), UInt8(ascii: "t"), 0x20, 0x09]
        return separators.contains(next) && rest.contains(where: isDigit)
    }
}
