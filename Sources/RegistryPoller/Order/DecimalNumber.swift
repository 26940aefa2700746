/// A decimal number of any size, compared exactly: `20240131235959123` and `7` and `1.25`.
///
/// A `Double` cannot tell long time stamps apart, and reads commit ids such as `1e5` as numbers; this refuses them.
struct DecimalNumber: Comparable, Sendable {
    private var isNegative = false
    /// The whole part, when it fits.
    private var whole: UInt64 = 0
    /// What does not fit; few numbers have any, and the others are copied without counting references.
    private var rest: Rest?

    private final class Rest: Sendable {
        /// The digits of a whole part that a word cannot hold, without zeros in front; otherwise empty.
        let long: String
        /// The digits behind the point, without zeros at the end.
        let fraction: String

        init(long: String, fraction: String) {
            self.long = long
            self.fraction = fraction
        }
    }

    init?(_ text: String) {
        var text = text
        guard let number = text.withUTF8({ Self($0) }) else { return nil }
        self = number
    }

    init?(_ bytes: UnsafeBufferPointer<UInt8>) {
        if bytes.first == UInt8(ascii: "-") {
            guard let opposite = Self(digits: UnsafeBufferPointer(rebasing: bytes.dropFirst())) else { return nil }
            self = opposite
            isNegative = whole != 0 || rest != nil
        } else {
            guard let number = Self(digits: bytes) else { return nil }
            self = number
        }
    }

    private init?(digits bytes: UnsafeBufferPointer<UInt8>) {
        var position = 0
        // Nineteen digits fit whatever they are.
        let sure = min(bytes.count, 19)
        while position < sure, isDigit(bytes[position]) {
            whole = whole &* 10 &+ UInt64(bytes[position] &- UInt8(ascii: "0"))
            position += 1
        }
        if position == 0 { return nil }
        if position == bytes.count { return }
        var overflows = false
        while position < bytes.count, isDigit(bytes[position]) {
            let (product, overflow) = whole.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(bytes[position] &- UInt8(ascii: "0")))
            overflows = overflows || overflow || carry
            whole = sum
            position += 1
        }
        var long = ""
        if overflows {
            long = String(decoding: bytes[..<position].drop { $0 == UInt8(ascii: "0") }, as: UTF8.self)
            whole = 0
        }
        var fraction = ""
        if position < bytes.count {
            guard bytes[position] == UInt8(ascii: "."), position + 1 < bytes.count,
                bytes[(position + 1)...].allSatisfy(isDigit)
            else { return nil }
            var digits = bytes[(position + 1)...]
            while digits.last == UInt8(ascii: "0") { digits = digits.dropLast() }
            fraction = String(decoding: digits, as: UTF8.self)
        }
        if !long.isEmpty || !fraction.isEmpty { rest = Rest(long: long, fraction: fraction) }
    }

    static func == (left: DecimalNumber, right: DecimalNumber) -> Bool { !(left < right) && !(right < left) }

    static func < (left: DecimalNumber, right: DecimalNumber) -> Bool {
        if left.isNegative != right.isNegative { return left.isNegative }
        return left.isNegative ? right.isSmaller(than: left) : left.isSmaller(than: right)
    }

    /// Without the signs.
    private func isSmaller(than right: DecimalNumber) -> Bool {
        if rest == nil, right.rest == nil { return whole < right.whole }
        let long = (rest?.long ?? "", right.rest?.long ?? "")
        if long.0.isEmpty, long.1.isEmpty {
            if whole != right.whole { return whole < right.whole }
        } else if long.0 != long.1 {
            // One that is not long has no digits here, and is less than any that is.
            let lengths = (long.0.utf8.count, long.1.utf8.count)
            return lengths.0 != lengths.1
                ? lengths.0 < lengths.1 : long.0.utf8.lexicographicallyPrecedes(long.1.utf8)
        }
        return (rest?.fraction ?? "").utf8.lexicographicallyPrecedes((right.rest?.fraction ?? "").utf8)
    }
}
