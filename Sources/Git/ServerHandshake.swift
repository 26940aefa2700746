/// What of a TLS handshake passes in clear, as the client receives it: the server's chain of certificates, up to TLS 1.2
/// (RFC 5246 section 7.4.2). libgit2 hands out the first of them only.
struct ServerHandshake {
    private var received: [UInt8] = []
    private static let limit = 256 << 10

    private static let handshakeRecord: UInt8 = 22
    private static let certificateMessage: UInt8 = 11

    mutating func receive(_ bytes: UnsafeRawBufferPointer) {
        received += bytes.prefix(Self.limit - received.count)
    }

    /// The certificates, DER, the server's own first; empty where they came encrypted (TLS 1.3).
    var certificates: [[UInt8]] {
        var messages = self.messages[...]
        while messages.count >= 4 {
            let type = messages[messages.startIndex]
            let length = Self.number(messages.dropFirst().prefix(3))
            messages = messages.dropFirst(4)
            if type == Self.certificateMessage { return Self.list(messages.prefix(length)) }
            messages = messages.dropFirst(length)
        }
        return []
    }

    /// The handshake's messages, out of the records that they lie in, up to the first record of another kind.
    private var messages: [UInt8] {
        var messages: [UInt8] = []
        var rest = received[...]
        while rest.count >= 5, rest[rest.startIndex] == Self.handshakeRecord {
            let length = Self.number(rest.dropFirst(3).prefix(2))
            messages += rest.dropFirst(5).prefix(length)
            rest = rest.dropFirst(5 + length)
        }
        return messages
    }

    private static func list(_ message: ArraySlice<UInt8>) -> [[UInt8]] {
        var found: [[UInt8]] = []
        var rest = message.dropFirst(3).prefix(number(message.prefix(3)))
        while rest.count >= 3 {
            let length = number(rest.prefix(3))
            rest = rest.dropFirst(3)
            guard length > 0, rest.count >= length else { break }
            found.append(Array(rest.prefix(length)))
            rest = rest.dropFirst(length)
        }
        return found
    }

    /// Big-endian.
    private static func number(_ bytes: ArraySlice<UInt8>) -> Int { bytes.reduce(0) { $0 << 8 | Int($1) } }
}
