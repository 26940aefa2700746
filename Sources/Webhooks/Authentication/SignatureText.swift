import Cryptography

/// RFC 4648, 4, with or without its padding.
enum Base64 {
    static func decode(_ text: some StringProtocol) -> [UInt8]? {
        let bare = text.prefix { $0 != "=" }
        guard text.utf8.count - bare.utf8.count <= 2, bare.utf8.count % 4 != 1 else { return nil }
        return Encoding.decodeBase64(bare + String(repeating: "=", count: (4 - bare.utf8.count % 4) % 4))
    }
}
