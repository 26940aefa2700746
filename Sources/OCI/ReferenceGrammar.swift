/// The productions of distribution's grammar, as functions over bytes (see `Reference`).
///
/// https://github.com/distribution/reference/blob/v0.6.0/reference.go
enum ReferenceGrammar {
    typealias Bytes = Substring.UTF8View

    /// `host[":" port]`, where host is a domain name, an IPv4 address or an IPv6 address in brackets.
    static func isDomain(_ text: Substring) -> Bool {
        var rest = text.utf8[...]
        if rest.first == UInt8(ascii: "[") {
            guard let close = rest.firstIndex(of: UInt8(ascii: "]")) else { return false }
            let inside = rest[rest.index(after: rest.startIndex)..<close]
            guard !inside.isEmpty, inside.allSatisfy({ isHexadecimal($0) || $0 == UInt8(ascii: ":") }) else {
                return false
            }
            rest = rest[rest.index(after: close)...]
            guard !rest.isEmpty else { return true }
            return rest.first == UInt8(ascii: ":") && isPort(rest.dropFirst())
        }
        if let colon = rest.firstIndex(of: UInt8(ascii: ":")) {
            guard isPort(rest[rest.index(after: colon)...]) else { return false }
            rest = rest[..<colon]
        }
        return rest.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { component in
            guard let first = component.first, let last = component.last else { return false }
            return isAlphanumeric(first) && isAlphanumeric(last)
                && component.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
        }
    }

    /// Path components, each of lower-case words joined by one `.`, one or two `_`, or any number of `-`.
    static func isPath(_ text: Substring) -> Bool {
        text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy(isPathComponent)
    }

    private static func isPathComponent(_ component: Bytes.SubSequence) -> Bool {
        guard let first = component.first, isLowerAlphanumeric(first) else { return false }
        var separator: [UInt8] = []
        for byte in component {
            if isLowerAlphanumeric(byte) {
                guard isSeparator(separator) else { return false }
                separator.removeAll(keepingCapacity: true)
            } else {
                separator.append(byte)
            }
        }
        return separator.isEmpty
    }

    private static func isSeparator(_ bytes: [UInt8]) -> Bool {
        if bytes.isEmpty { return true }
        if bytes.allSatisfy({ $0 == UInt8(ascii: "-") }) { return true }
        let underscore = UInt8(ascii: "_")
        return bytes == [underscore] || bytes == [underscore, underscore] || bytes == [UInt8(ascii: ".")]
    }

    /// A word character, then up to 127 word characters, dots and dashes.
    static func isTag(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, (1...128).contains(text.utf8.count) else { return false }
        return isWord(first)
            && text.utf8.allSatisfy { isWord($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
    }

    private static func isPort(_ digits: Bytes.SubSequence) -> Bool {
        !digits.isEmpty && digits.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    private static func isWord(_ byte: UInt8) -> Bool { isAlphanumeric(byte) || byte == UInt8(ascii: "_") }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        isLowerAlphanumeric(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        isLowerHexadecimal(byte) || (UInt8(ascii: "A")...UInt8(ascii: "F")).contains(byte)
    }

    private static func isLowerAlphanumeric(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
