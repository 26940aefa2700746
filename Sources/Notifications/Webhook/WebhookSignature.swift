import Cryptography

/// How requests are signed, so that a receiver knows who sent them, and refuses one that somebody sends again: Standard Webhooks 1.0
/// (github.com/standard-webhooks/standard-webhooks). `ID.TIMESTAMP.BODY` is signed by HMAC-SHA256; the timestamp is that of the attempt.
package struct WebhookSignature: Sendable {
    private let key: [UInt8]

    private static let prefix = "whsec_"

    /// - Parameter secret: `whsec_` with a key of 24 to 64 bytes in base64, or any text of 16 bytes at least.
    /// - Throws: what is wrong with it.
    package init(secret: String) throws(DeliveryError) {
        guard secret.hasPrefix(Self.prefix) else {
            guard secret.utf8.count >= 16 else {
                throw DeliveryError(
                    "the signing secret is shorter than 16 characters",
                    hint: "make one: echo whsec_$(openssl rand -base64 32)")
            }
            key = Array(secret.utf8)
            return
        }
        guard let key = Encoding.decodeBase64(String(secret.dropFirst(Self.prefix.count))),
            (24...64).contains(key.count)
        else {
            throw DeliveryError(
                "the signing secret has no key of 24 to 64 bytes in base64 after \(Self.prefix)",
                hint: "make one: echo whsec_$(openssl rand -base64 32)")
        }
        self.key = key
    }

    /// What is wrong with a secret; `nil` where nothing is.
    package static func problem(with secret: String) -> DeliveryError? {
        do throws(DeliveryError) {
            _ = try WebhookSignature(secret: secret)
            return nil
        } catch { return error }
    }

    /// The headers of one attempt.
    ///
    /// - Parameter time: in seconds since 1970.
    package func headers(id: String, time: Int64, body: [UInt8]) -> [(name: String, value: String)] {
        let code = HMAC.sha256(Array("\(id).\(time).".utf8) + body, key: key)
        return [
            ("webhook-id", id), ("webhook-timestamp", String(time)),
            ("webhook-signature", "v1,\(Encoding.base64(code))"),
        ]
    }
}
