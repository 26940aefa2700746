/// Somebody who sends or gets mail: `ops@example.com`, or `Slipway <slipway@example.com>`.
package struct MailAddress: Sendable, Equatable {
    /// The name before it, to be shown.
    package let name: String?
    package let address: String

    /// - Returns: `nil` for what is no address: of a local part and a domain in ASCII, without blanks, quotes and control characters,
    ///   which could be read as another recipient or command.
    package init?(_ text: String) {
        var address = text[...]
        var name: Substring?
        if let open = text.firstIndex(of: "<") {
            guard text.last == ">" else { return nil }
            name = text[..<open]
            address = text[text.index(after: open)...].dropLast()
        }
        let parts = address.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty, address.utf8.count <= 254,
            parts[0].utf8.allSatisfy(Self.isOfLocalPart), parts[1].utf8.allSatisfy(Self.isOfDomain)
        else { return nil }
        var shown = (name ?? "")[...]
        while let first = shown.first, first == " " || first == "\"" { shown = shown.dropFirst() }
        while let last = shown.last, last == " " || last == "\"" { shown = shown.dropLast() }
        guard shown.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f }) else { return nil }
        self.name = shown.isEmpty ? nil : String(shown)
        self.address = String(address)
    }

    package var domain: String { String(address.drop { $0 != "@" }.dropFirst()) }

    /// RFC 5322's `atext`, and dots.
    private static func isOfLocalPart(_ byte: UInt8) -> Bool {
        isOfDomain(byte) || "!#$%&'*+/=?^_`{|}~".utf8.contains(byte)
    }

    private static func isOfDomain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "."): true
        default: false
        }
    }
}
