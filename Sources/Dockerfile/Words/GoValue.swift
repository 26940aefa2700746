/// Values in the notation of Go's standard library, which Dockerfiles use without saying so.
package enum GoValue {
    static func bool(_ text: String) -> Bool? {
        switch text {
        case "1", "t", "T", "TRUE", "true", "True": true
        case "0", "f", "F", "FALSE", "false", "False": false
        default: nil
        }
    }

    /// Digits only, of a base up to 10, within 32 bits.
    static func unsigned(_ text: String, radix: UInt32 = 10) -> UInt32? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30..<0x30 + UInt8(radix)).contains($0) }) else { return nil }
        return UInt32(text, radix: Int(radix))
    }

    /// `1h2m3.5s` in nanoseconds. A unit is demanded, except for `0`.
    package static func duration(_ text: String) -> Int64? {
        var rest = Array(text.utf8)[...]
        var isNegative = false
        if let sign = rest.first, sign == 0x2d || sign == 0x2b {
            isNegative = sign == 0x2d
            rest = rest.dropFirst()
        }
        if rest.elementsEqual([0x30]) { return 0 }
        guard !rest.isEmpty else { return nil }
        var total: UInt64 = 0
        let limit = UInt64(Int64.max)
        while !rest.isEmpty {
            let digits = rest.prefix { (0x30...0x39).contains($0) }
            rest = rest[digits.endIndex...]
            var fraction: ArraySlice<UInt8> = []
            if rest.first == 0x2e {
                fraction = rest.dropFirst().prefix { (0x30...0x39).contains($0) }
                rest = rest[fraction.endIndex...]
            }
            guard !digits.isEmpty || !fraction.isEmpty else { return nil }
            let name = rest.prefix { $0 != 0x2e && !(0x30...0x39).contains($0) }
            rest = rest[name.endIndex...]
            guard let unit = unit(String(decoding: name, as: UTF8.self)) else { return nil }
            let whole = digits.isEmpty ? 0 : UInt64(String(decoding: digits, as: UTF8.self))
            guard let whole else { return nil }
            let (product, isOver) = whole.multipliedReportingOverflow(by: unit)
            guard !isOver else { return nil }
            var part = 0.0
            var scale = 1.0
            for digit in fraction.prefix(18) {
                part = part * 10 + Double(digit - 0x30)
                scale *= 10
            }
            let (sum, isFull) = product.addingReportingOverflow(UInt64(part * (Double(unit) / scale)))
            let (next, overflows) = total.addingReportingOverflow(sum)
            guard !isFull, !overflows, next <= limit else { return nil }
            total = next
        }
        return isNegative ? -Int64(total) : Int64(total)
    }

    private static func unit(_ name: String) -> UInt64? {
        switch name {
        case "ns": 1
        case "us", "\u{b5}s", "\u{3bc}s": 1_000
        case "ms": 1_000_000
        case "s": 1_000_000_000
        case "m": 60_000_000_000
        case "h": 3_600_000_000_000
        default: nil
        }
    }

    /// Nanoseconds as Go prints them: `1m30s`, `1.5s`, `0s`.
    package static func text(ofDuration nanoseconds: Int64) -> String {
        if nanoseconds == 0 { return "0s" }
        let sign = nanoseconds < 0 ? "-" : ""
        let value = nanoseconds.magnitude
        if value < 1_000 { return "\(sign)\(value)ns" }
        if value < 1_000_000 { return sign + decimal(value, digits: 3) + "\u{b5}s" }
        if value < 1_000_000_000 { return sign + decimal(value, digits: 6) + "ms" }
        let seconds = value / 1_000_000_000
        var text = decimal(value % 60_000_000_000, digits: 9) + "s"
        if seconds >= 60 { text = "\(seconds / 60 % 60)m" + text }
        if seconds >= 3600 { text = "\(seconds / 3600)h" + text }
        return sign + text
    }

    private static func decimal(_ value: UInt64, digits: Int) -> String {
        var scale: UInt64 = 1
        for _ in 0..<digits { scale *= 10 }
        var fraction = String(value % scale)
        fraction = String(repeating: "0", count: digits - fraction.count) + fraction
        while fraction.hasSuffix("0") { fraction.removeLast() }
        return fraction.isEmpty ? "\(value / scale)" : "\(value / scale).\(fraction)"
    }

    /// A size with a binary unit: `10m`, `1.5GiB`, `512`.
    static func binarySize(_ text: String) -> Int64? {
        let lower = text.lowercased()
        let number = lower.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        var unit = lower.dropFirst(number.count)
        if unit.first == " " { unit = unit.dropFirst() }
        let powers = ["": 0, "b": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5]
        var name = String(unit)
        if name.count > 1, name.hasSuffix("b") { name.removeLast() }
        if name.count > 1, name.hasSuffix("i") { name.removeLast() }
        guard let power = powers[name], let value = Double(number), value >= 0 else { return nil }
        let scaled = (0..<power).reduce(value) { result, _ in result * 1024 }
        return scaled < 9e18 ? Int64(scaled) : nil
    }
}
