/// Percent-encoding (RFC 3986, 2.1).
package enum PercentEncoding {
    /// - Parameters:
    ///   - text: one part of a path, one value of a query.
    ///   - isKept: which characters stay as they are. By default the unreserved ones of RFC 3986, 2.3.
    package static func encode(_ text: String, keeping isKept: (UInt8) -> Bool = isUnreserved) -> String {
        let digits: StaticString = "0123456789ABCDEF"
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        digits.withUTF8Buffer { digits in
            for byte in text.utf8 {
                if isKept(byte) {
                    bytes.append(byte)
                } else {
                    bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
                }
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The fields of a query, or of a form (`application/x-www-form-urlencoded`, without its `+`).
    package static func form(_ fields: [(String, String)], keeping isKept: (UInt8) -> Bool = isUnreserved) -> String {
        fields.map { "\(encode($0, keeping: isKept))=\(encode($1, keeping: isKept))" }.joined(separator: "&")
    }

    /// Letters, digits, `-`, `.`, `_` and `~`: RFC 3986, 2.3.
    package static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// - Returns: `nil` where a `%` is not followed by two hexadecimal digits, and for what is not UTF-8 afterwards.
    package static func decode(_ text: some StringProtocol) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(Hexadecimal.value),
                let low = rest.popFirst().flatMap(Hexadecimal.value)
            else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
