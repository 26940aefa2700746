import Glibc

/// An IPv4 or IPv6 address.
struct IPAddress: Hashable, Sendable {
    /// Four or sixteen.
    let bytes: [UInt8]

    /// Also in brackets, as URLs have IPv6 addresses.
    init?(_ text: some StringProtocol) {
        var text = String(text)
        if text.hasPrefix("["), text.hasSuffix("]") { text = String(text.dropFirst().dropLast()) }
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var buffer = [UInt8](repeating: 0, count: count)
            if inet_pton(family, text, &buffer) == 1 {
                bytes = buffer
                return
            }
        }
        return nil
    }
}

/// `10.0.0.0/8`, `fd00::/8`.
struct IPNetwork: Sendable {
    private let address: IPAddress
    private let bits: Int

    init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPAddress(parts[0]), let bits = Int(parts[1]),
            (0...address.bytes.count * 8).contains(bits)
        else { return nil }
        self.address = address
        self.bits = bits
    }

    func contains(_ other: IPAddress) -> Bool {
        guard other.bytes.count == address.bytes.count else { return false }
        return (0..<bits).allSatisfy { bit in
            (address.bytes[bit / 8] ^ other.bytes[bit / 8]) & (0x80 >> UInt8(bit % 8)) == 0
        }
    }
}
