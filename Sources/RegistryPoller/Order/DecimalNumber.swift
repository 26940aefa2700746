/// A decimal number of any size, compared exactly: `20240131235959123` and `7` and `1.25`.
///
/// A `Double` cannot tell long time stamps apart, and reads commit ids such as `1e5` as numbers; this refuses them.
struct DecimalNumber: Comparable, Sendable {
    private var isNegative = false
    /// The whole part, when `long` is empty.
    private var whole: UInt64 = 0
    /// The digits of a whole part that `whole` cannot hold, without zeros in front.
    private var long = ""
    /// The digits behind the point, without zeros at the end.
    private var fraction = ""

    init?(_ text: String) {
        var text = text
        guard let number = text.withUTF8({ Self($0) }) else { return nil }
        self = number
    }

    init?(_ bytes: UnsafeBufferPointer<UInt8>) {
        if bytes.first == UInt8(ascii: "-") {
            guard let opposite = Self(digits: UnsafeBufferPointer(rebasing: bytes.dropFirst())) else { return nil }
            self = opposite
            isNegative = !isZero
        } else {
            guard let number = Self(digits: bytes) else { return nil }
            self = number
        }
    }

    private var isZero: Bool { whole == 0 && long.isEmpty && fraction.isEmpty }

    private init?(digits bytes: UnsafeBufferPointer<UInt8>) {
        var position = 0
        var overflows = false
        while position < bytes.count, isDigit(bytes[position]) {
            let (product, overflow) = whole.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(bytes[position] - UInt8(ascii: "0")))
            overflows = overflows || overflow || carry
            whole = sum
            position += 1
        }
        if position == 0 { return nil }
        if overflows {
            let digits = bytes[..<position].drop { $0 == UInt8(ascii: "0") }
            long = String(decoding: digits, as: UTF8.self)
        }
        if position == bytes.count { return }
        guard bytes[position] == UInt8(ascii: "."), position + 1 < bytes.count,
            bytes[(position + 1)...].allSatisfy(isDigit)
        else { return nil }
        var digits = bytes[(position + 1)...]
        while digits.last == UInt8(ascii: "0") { digits = digits.dropLast() }
        fraction = String(decoding: digits, as: UTF8.self)
    }

    static func == (left: DecimalNumber, right: DecimalNumber) -> Bool { !(left < right) && !(right < left) }

    static func < (left: DecimalNumber, right: DecimalNumber) -> Bool {
        if left.isNegative != right.isNegative { return left.isNegative }
        return left.isNegative ? right.isSmaller(than: left) : left.isSmaller(than: right)
    }

    /// Without the signs.
    private func isSmaller(than right: DecimalNumber) -> Bool {
        let left = self
        if left.long.isEmpty, right.long.isEmpty {
            if left.whole != right.whole { return left.whole < right.whole }
        } else if left.long != right.long {
            // One that is not long has no digits here, and is less than any that is.
            let lengths = (left.long.utf8.count, right.long.utf8.count)
            return lengths.0 != lengths.1
                ? lengths.0 < lengths.1 : left.long.utf8.lexicographicallyPrecedes(right.long.utf8)
        }
        return left.fraction.utf8.lexicographicallyPrecedes(right.fraction.utf8)
    }
}
