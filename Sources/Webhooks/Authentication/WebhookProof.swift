import Cryptography
import Text

/// What a request shows of a secret.
struct WebhookProof {
    let request: WebhookRequest
    /// The bytes that a signature is over.
    let signed: [UInt8]
    /// In seconds since 1970.
    let now: Int64

    /// A header's HMAC with SHA-256, in hexadecimal digits of either case.
    func hasSignature(_ key: [UInt8], in header: String, prefix: String = "") -> Bool {
        guard let value = request.header(header), value.hasPrefix(prefix) else { return false }
        return Self.isCode(value.dropFirst(prefix.count), HMAC.sha256(signed, key: key))
    }

    /// `sha256=HEX` or `sha512=HEX`.
    func hasAnySignature(_ key: [UInt8], in header: String) -> Bool {
        guard let value = request.header(header) else { return false }
        if value.hasPrefix("sha512=") {
            return Self.isCode(value.dropFirst("sha512=".count), HMAC.sha512(signed, key: key))
        }
        return hasSignature(key, in: header, prefix: "sha256=")
    }

    private static func isCode(_ digits: Substring, _ code: [UInt8]) -> Bool {
        guard let bytes = Hexadecimal.decode(digits), bytes.count == code.count else { return false }
        return ConstantTime.isEqual(bytes, code)
    }

    /// A header that is the secret.
    func hasValue(_ secret: [UInt8], in header: String) -> Bool {
        guard let value = request.header(header) else { return false }
        return ConstantTime.isEqual(Array(value.utf8), secret)
    }

    /// The last part of the path is the secret.
    func hasPath(_ secret: [UInt8]) -> Bool { ConstantTime.isEqual(Array(request.pathSecret.utf8), secret) }

    /// The secret in one of the ways in which senders without signatures can be told to send it: `Authorization` as it is, as a
    /// bearer token or as the password of Basic authentication, or `X-Api-Key`.
    func hasToken(_ secret: [UInt8]) -> Bool {
        if hasValue(secret, in: "X-Api-Key") { return true }
        guard let value = request.header("Authorization") else { return false }
        let isWhole = ConstantTime.isEqual(Array(value.utf8), secret)
        // A scheme is case-insensitive (RFC 9110, 11.1).
        let words = value.split(separator: " ", maxSplits: 1)
        guard words.count == 2 else { return isWhole }
        switch words[0].lowercased() {
        case "bearer": return ConstantTime.isEqual(Array(words[1].utf8), secret) || isWhole
        case "basic":
            guard let pair = Base64.decode(words[1]), let colon = pair.firstIndex(of: UInt8(ascii: ":")) else {
                return isWhole
            }
            return ConstantTime.isEqual(Array(pair[(colon + 1)...]), secret) || isWhole
        default: return isWhole
        }
    }

    /// How far the sender's clock may be off, in seconds.
    private static let tolerance: Int64 = 300

    /// Standard Webhooks, version 1: the code of `ID.TIMESTAMP.BODY`, one of several.
    func hasStandardSignature(_ key: [UInt8]) -> Bool {
        guard let id = request.header("webhook-id"), !id.contains("."),
            let stamp = request.header("webhook-timestamp"), stamp.utf8.count <= 12,
            stamp.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let time = Int64(stamp),
            abs(now - time) <= Self.tolerance, let list = request.header("webhook-signature")
        else { return false }
        let code = HMAC.sha256(Array("\(id).\(stamp).".utf8) + signed, key: key)
        return list.split(separator: " ").reduce(false) { isFound, entry in
            guard entry.hasPrefix("v1,"), let bytes = Base64.decode(entry.dropFirst(3)) else { return isFound }
            return ConstantTime.isEqual(bytes, code) || isFound
        }
    }
}
