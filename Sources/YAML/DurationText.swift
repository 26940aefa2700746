/// Durations as people write them in configuration: `30s`, `5m`, `1h30m`, `250ms`, `2d`.
package enum DurationText {
    private static let units: [(name: String, nanoseconds: Int64)] = [
        ("ns", 1), ("us", 1_000), ("µs", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000),
        ("h", 3_600_000_000_000), ("d", 86_400_000_000_000),
    ]

    /// `nil` for what is no duration: no unit, an unknown unit, a sign, or more than about 290 years. `0` needs no
    /// unit.
    package static func parse(_ text: String) -> Duration? {
        if text == "0" { return .zero }
        var rest = text.utf8[...]
        var total: Int64 = 0
        while !rest.isEmpty {
            let whole = rest.prefix { (0x30...0x39).contains($0) }
            rest = rest.dropFirst(whole.count)
            var fraction = rest.prefix(0)
            if rest.first == UInt8(ascii: ".") {
                rest = rest.dropFirst()
                fraction = rest.prefix { (0x30...0x39).contains($0) }
                if fraction.isEmpty || fraction.count > 9 { return nil }
                rest = rest.dropFirst(fraction.count)
            }
            guard !whole.isEmpty, let count = Int64(Substring(whole)) else { return nil }
            let name = rest.prefix { !(0x30...0x39).contains($0) && $0 != UInt8(ascii: ".") }
            rest = rest.dropFirst(name.count)
            guard let unit = units.first(where: { $0.name.utf8.elementsEqual(name) })?.nanoseconds else { return nil }
            let (part, overflow) = count.multipliedReportingOverflow(by: unit)
            var sum = total.addingReportingOverflow(part)
            if overflow || sum.overflow { return nil }
            if let digits = Int64(Substring(fraction)) {
                var scale: Int64 = 1
                for _ in 0..<fraction.count { scale *= 10 }
                // At most nine digits: the quotient and the rest are multiplied apart, so neither overflows.
                sum = sum.partialValue.addingReportingOverflow(
                    digits * (unit / scale) + digits * (unit % scale) / scale)
                if sum.overflow { return nil }
            }
            total = sum.partialValue
        }
        return text.isEmpty ? nil : .nanoseconds(total)
    }
}
