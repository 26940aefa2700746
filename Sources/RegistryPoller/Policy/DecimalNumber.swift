/// A decimal number of any size, compared exactly: `20240131235959123` and `7` and `1.25`.
///
/// A `Double` cannot tell long time stamps apart, and reads commit ids such as `1e5` as numbers; this refuses them.
struct DecimalNumber: Comparable, Sendable {
    /// Without zeros in front.
    private let whole: Substring.UTF8View
    /// Without zeros at the end.
    private let fraction: Substring.UTF8View

    init?(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard let first = parts.first, parts.count <= 2,
            parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(isDigit) })
        else { return nil }
        let zero = UInt8(ascii: "0")
        whole = first.drop { $0 == zero }
        guard parts.count == 2 else {
            fraction = ""[...].utf8
            return
        }
        var end = parts[1]
        while end.last == zero { end = end.dropLast() }
        fraction = end
    }

    static func == (left: DecimalNumber, right: DecimalNumber) -> Bool {
        left.whole.elementsEqual(right.whole) && left.fraction.elementsEqual(right.fraction)
    }

    static func < (left: DecimalNumber, right: DecimalNumber) -> Bool {
        if left.whole.count != right.whole.count { return left.whole.count < right.whole.count }
        if !left.whole.elementsEqual(right.whole) { return left.whole.lexicographicallyPrecedes(right.whole) }
        return left.fraction.lexicographicallyPrecedes(right.fraction)
    }
}
