/// Decimal numbers, compared exactly.
struct DecimalOrder: TagOrder {
    let direction: ImagePolicy.Direction

    func judge(_ text: UnsafeBufferPointer<UInt8>, _ index: Int) -> Judgement<DecimalNumber> {
        DecimalNumber(text).map { .eligible($0) } ?? .refused(.notANumber)
    }

    func isBetter(_ left: DecimalNumber, than right: DecimalNumber) -> Bool {
        direction == .ascending ? left > right : left < right
    }

    func standing(
        of tag: UnsafeBufferPointer<UInt8>, text: UnsafeBufferPointer<UInt8>?, at index: Int?
    ) -> Standing<DecimalNumber> {
        text.flatMap { DecimalNumber($0) }.map { .known($0) } ?? .incomparable
    }

    func explanation(count: Int) -> String {
        "the \(direction == .ascending ? "highest" : "lowest") of \(counted(count, "number", "numbers"))"
    }

    func noneMatches(of count: Int) -> String { "none of \(counted(count, "tag", "tags")) is a decimal number" }
}

/// Numbers as Flux v2 reads them (64-bit floating point, Go's `strconv.ParseFloat`): one text that is none makes the policy
/// fail, and numbers that only differ beyond 53 bits are equal.
///
/// Equal numbers, between which Flux v2 goes to and fro, are decided by the tag's bytes; NaN, which is neither above nor
/// below anything, counts as no number.
struct FloatOrder: TagOrder {
    let direction: ImagePolicy.Direction

    func judge(_ text: UnsafeBufferPointer<UInt8>, _ index: Int) -> Judgement<Double> {
        FloatText.value(text).map { .eligible($0) } ?? .fatal(.notAFloat)
    }

    func isBetter(_ left: Double, than right: Double) -> Bool {
        direction == .ascending ? left > right : left < right
    }

    var tie: TieRule { .greater }

    func standing(
        of tag: UnsafeBufferPointer<UInt8>, text: UnsafeBufferPointer<UInt8>?, at index: Int?
    ) -> Standing<Double> {
        text.flatMap { FloatText.value($0) }.map { .known($0) } ?? .incomparable
    }

    func explanation(count: Int) -> String {
        "the \(direction == .ascending ? "highest" : "lowest") of \(counted(count, "number", "numbers"))"
    }

    func noneMatches(of count: Int) -> String { "none of \(counted(count, "tag", "tags")) may be used" }
}

/// Go's `strconv.ParseFloat`.
enum FloatText {
    /// `nil` when it is no number, too large for one, or NaN.
    static func value(_ text: UnsafeBufferPointer<UInt8>) -> Double? {
        // What nearly all of them are: digits that fit a word. The conversion rounds as it has to.
        if text.count <= 19, !text.isEmpty, text.allSatisfy(isDigit) {
            var value: UInt64 = 0
            for byte in text { value = value &* 10 &+ UInt64(byte &- UInt8(ascii: "0")) }
            return Double(value)
        }
        return slow(text)
    }

    private static func slow(_ text: UnsafeBufferPointer<UInt8>) -> Double? {
        guard text.count <= 256 else { return nil }
        var rest = Array(text)[...]
        var isNegative = false
        if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            isNegative = sign == UInt8(ascii: "-")
            rest = rest.dropFirst()
        }
        let lower = String(decoding: rest, as: UTF8.self).lowercased()
        if lower == "inf" || lower == "infinity" { return isNegative ? -.infinity : .infinity }
        let isHexadecimal = lower.hasPrefix("0x")
        guard isWellFormed(Array(lower.utf8), isHexadecimal), allowsUnderscores(Array(lower.utf8), isHexadecimal) else {
            return nil
        }
        guard let value = Double(lower.filter { $0 != "_" }), value.isFinite else { return nil }
        return isNegative ? -value : value
    }

    /// Digits with at most one point, then an exponent (`p` with digits in hexadecimal ones, where it is required).
    private static func isWellFormed(_ bytes: [UInt8], _ isHexadecimal: Bool) -> Bool {
        var index = isHexadecimal ? 2 : 0
        var digits = 0
        var points = 0
        while index < bytes.count {
            let byte = bytes[index]
            if isDigit(byte) || (isHexadecimal && byte &- UInt8(ascii: "a") < 6) {
                digits += 1
            } else if byte == UInt8(ascii: ".") {
                points += 1
            } else if byte != UInt8(ascii: "_") {
                break
            }
            index += 1
        }
        guard digits > 0, points <= 1 else { return false }
        if index == bytes.count { return !isHexadecimal }
        guard bytes[index] == UInt8(ascii: isHexadecimal ? "p" : "e") else { return false }
        index += 1
        if index < bytes.count, bytes[index] == UInt8(ascii: "-") || bytes[index] == UInt8(ascii: "+") { index += 1 }
        guard index < bytes.count, isDigit(bytes[index]) else { return false }
        return bytes[index...].allSatisfy { isDigit($0) || $0 == UInt8(ascii: "_") }
    }

    /// Only between digits, and between a prefix and a digit.
    private static func allowsUnderscores(_ bytes: [UInt8], _ isHexadecimal: Bool) -> Bool {
        var isAfterDigit = isHexadecimal
        var isAfterUnderscore = false
        for byte in bytes[(isHexadecimal ? 2 : 0)...] {
            if isDigit(byte) || (isHexadecimal && byte &- UInt8(ascii: "a") < 6) {
                (isAfterDigit, isAfterUnderscore) = (true, false)
            } else if byte == UInt8(ascii: "_") {
                guard isAfterDigit else { return false }
                (isAfterDigit, isAfterUnderscore) = (false, true)
            } else {
                if isAfterUnderscore { return false }
                (isAfterDigit, isAfterUnderscore) = (false, false)
            }
        }
        return !isAfterUnderscore
    }
}
